/* SPDX-License-Identifier: MIT */
/*
 * netlink_private.h - what the netlink*.c files share: one request and its answer, and attributes.
 *
 *   netlink_begin ─▶ headers, mnl_attr_put... ─▶ netlink_talk ─▶ fn(answer), fn(answer)... ─▶ 0/-errno
 */
#ifndef WGXDP_NETLINK_PRIVATE_H
#define WGXDP_NETLINK_PRIVATE_H

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include "io/netlink.h"

#define DUMP_ATTEMPTS 16 /* while what is asked for comes and goes */

/* The kernel fills skbs of at most 32 KiB for one read of a dump. */
#define NETLINK_BUFFER 32768

struct netlink {
	struct mnl_socket *socket;
	uint32_t seq;
	_Alignas(8) uint8_t request[1024]; /* ours are under 256 bytes */
	_Alignas(8) uint8_t answer[NETLINK_BUFFER];
};

/* Begins the next request: NLM_F_REQUEST is added, and NLM_F_ACK unless it is a dump. */
struct nlmsghdr *netlink_begin(struct netlink *nl, uint16_t type, uint16_t flags);

/* Sees one message of the answer. Returns 0 or -errno; the first error is netlink_talk()'s. */
typedef int (*netlink_fn)(const struct nlmsghdr *nlh, void *ctx);

/* Sends @nlh and reads to the end of its answer. 0 or -errno: the kernel's, or -EINTR for a dump
 * that something changed under (what @fn saw may be neither old nor new: ask again). */
int netlink_talk(struct netlink *nl, const struct nlmsghdr *nlh, netlink_fn fn, void *ctx);

/* One read of at most NETLINK_BUFFER bytes sent by the kernel. Returns its length, 0 for what came
 * from someone else, or -errno: -ENOBUFS for what was cut short, too. */
int netlink_receive(int fd, void *buf);

/* The first attribute of @type behind the @header bytes of family header, if it holds at least
 * @min bytes; else NULL. */
const struct nlattr *netlink_attr(const struct nlmsghdr *nlh, size_t header, uint16_t type,
				  size_t min);
const struct nlattr *netlink_nested(const struct nlattr *nest, uint16_t type, size_t min);

/* A RTM_NEWLINK or RTM_DELLINK. False when it is malformed or not of a link as such. */
bool netlink_parse_link(const struct nlmsghdr *nlh, struct netlink_link *out);

/* A RTM_NEWNEIGH or RTM_DELNEIGH. False when it is malformed or of another family than IP. */
bool netlink_parse_neighbour(const struct nlmsghdr *nlh, struct netlink_neighbour_event *out);

/* Do packets leave by the link @ifindex by the route of this RTM_NEWROUTE or RTM_DELROUTE? True for
 * what names no link, but a next hop that may. */
bool netlink_route_leaves_by(const struct nlmsghdr *nlh, uint32_t ifindex);

/* Bytes of an address of @family, AF_INET or AF_INET6. */
static inline size_t netlink_addr_len(uint8_t family)
{
	return family == AF_INET ? 4 : 16;
}

#endif
