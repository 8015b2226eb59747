/* SPDX-License-Identifier: MIT */
/*
 * netlink_request.h - sends one netlink request and reads its answer, for code that builds its own
 * messages. Requests of general use are functions in netlink.h.
 *
 *   netlink_begin ─▶ headers, mnl_attr_put... ─▶ netlink_talk ─▶ fn(answer)... ─▶ 0/-errno
 */
#ifndef WGXDP_NETLINK_REQUEST_H
#define WGXDP_NETLINK_REQUEST_H

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include "io/netlink.h"

/* Begins a request in the buffer of @nl. Sets NLM_F_REQUEST in addition to @flags, and NLM_F_ACK
 * unless the request is a dump. The caller appends at most 1000 bytes. */
struct nlmsghdr *netlink_begin(struct netlink *nl, uint16_t type, uint16_t flags);

/* Begins a change (RTM_NEWLINK) of the existing link @ifindex. The caller adds the attributes. */
struct nlmsghdr *netlink_begin_link(struct netlink *nl, uint32_t ifindex);

/* Called for each message of the answer. Returns 0 or -errno; netlink_talk() returns the first
 * error. */
typedef int (*netlink_fn)(const struct nlmsghdr *nlh, void *ctx);

/* Sends @nlh and reads the whole answer. @fn may be NULL. Returns 0 or -errno: the kernel's error,
 * or -EINTR if a concurrent change interrupted a dump. After -EINTR, @fn may have seen a mixture of
 * the old and the new state, so the caller repeats the request. */
int netlink_talk(struct netlink *nl, const struct nlmsghdr *nlh, netlink_fn fn, void *ctx);

/* The items that a dump collects. All zero is an empty list. The owner frees @items. */
struct netlink_list {
	void *items;
	size_t count, room; /* in items */
};

/* Appends an item of @size bytes; all items of a list have the same size. Returns the item, which
 * the caller fills, or NULL if out of memory. The next call may move the items. */
void *netlink_list_add(struct netlink_list *list, size_t size);

/* Sends the dump request @nlh and reads the whole answer, as netlink_talk() does. If a concurrent
 * change interrupts the dump, removes the items that @fn has added to @list (may be NULL) and
 * repeats the request, up to 16 attempts in total. Returns 0 or -errno; after an error, @list may
 * hold a part of the answer. */
int netlink_dump(struct netlink *nl, struct nlmsghdr *nlh, netlink_fn fn, void *ctx,
		 struct netlink_list *list);

/* Returns the first attribute of @type after the fixed header of @header bytes, or NULL if there is
 * none or if it has fewer than @min bytes. */
const struct nlattr *netlink_attr(const struct nlmsghdr *nlh, size_t header, uint16_t type,
				  size_t min);
/* Returns the first attribute of @type inside the attribute @nest, or NULL if there is none or if
 * it has fewer than @min bytes. */
const struct nlattr *netlink_nested(const struct nlattr *nest, uint16_t type, size_t min);

/* Returns the length in bytes of an address of @family, AF_INET or AF_INET6. */
static inline size_t netlink_addr_len(uint8_t family)
{
	return family == AF_INET ? 4 : 16;
}

#endif
