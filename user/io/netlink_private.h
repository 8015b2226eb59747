/* SPDX-License-Identifier: MIT */
/*
 * netlink_private.h - what only the netlink*.c files share: the handle, one read from a netlink
 * socket, and the parsers of messages that come as answers and as notifications.
 */
#ifndef WGXDP_NETLINK_PRIVATE_H
#define WGXDP_NETLINK_PRIVATE_H

#include "io/netlink_request.h"

/* The kernel fills skbs of at most 32 KiB for one read of a dump. */
#define NETLINK_BUFFER 32768

struct netlink {
	struct mnl_socket *socket;
	uint32_t seq;
	char sentence[128]; /* the kernel's, of the last request that failed; "" = none */
	_Alignas(8) uint8_t request[1024];
	_Alignas(8) uint8_t answer[NETLINK_BUFFER];
};

/* Reads at most NETLINK_BUFFER bytes that the kernel sent. Returns their number, 0 for a message
 * from another process, or -errno. -ENOBUFS also means that the message was longer than the buffer.
 * @nsid (may be NULL) gets the id of the namespace that the message came from, on a socket that
 * listens to several; NETNSA_NSID_NOT_ASSIGNED on any other. */
int netlink_receive(int fd, void *buf, int *nsid);

/* Copies the text of an attribute, cut to @room bytes with its NUL. */
void netlink_copy_text(char *to, size_t room, const struct nlattr *a);

/* Parses a RTM_NEWLINK or RTM_DELLINK. False if it is malformed or concerns only a link's bridge
 * side. */
bool netlink_parse_link(const struct nlmsghdr *nlh, struct netlink_link *out);

/* Parses a RTM_NEWNEIGH or RTM_DELNEIGH. False if it is malformed or of another family than IP. */
bool netlink_parse_neighbour(const struct nlmsghdr *nlh, struct netlink_neighbour_event *out);

/* Do packets leave by the link @ifindex by the route of this RTM_NEWROUTE or RTM_DELROUTE? True for
 * a route that names a next-hop object instead of a link, because that object may name the link. */
bool netlink_route_leaves_by(const struct nlmsghdr *nlh, uint32_t ifindex);

/* The destination of a route message. False: it has none that can be read. */
bool netlink_parse_destination(const struct nlmsghdr *nlh, struct prefix *out);

#endif
