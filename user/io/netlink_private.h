/* SPDX-License-Identifier: MIT */
/*
 * netlink_private.h - the handle, sockets for notifications, and parsers of messages that arrive
 * both as answers and as notifications. Private to user/io/.
 */
#ifndef WGXDP_NETLINK_PRIVATE_H
#define WGXDP_NETLINK_PRIVATE_H

#include "io/netlink_request.h"

/* The kernel fills skbs of at most 32 KiB for one read of a dump. */
#define NETLINK_BUFFER 32768

struct netlink {
	struct mnl_socket *socket;
	uint32_t seq;
	char sentence[128]; /* the kernel's error message for the last request; "" = none */
	_Alignas(8) uint8_t request[1024];
	_Alignas(8) uint8_t answer[NETLINK_BUFFER];
};

/* Reads at most NETLINK_BUFFER bytes from the kernel. Returns their number, 0 for a message from
 * another process, or -errno: -ENOBUFS if messages were lost or the message exceeds the buffer.
 * Sets *@nsid (@nsid may be NULL) to the id of the namespace from which the message came, or to
 * NETNSA_NSID_NOT_ASSIGNED if the socket listens only to its own namespace. */
int netlink_receive(int fd, void *buf, int *nsid);

/* A socket that receives notifications. Its owner reads it when it becomes readable. */
struct netlink_events {
	struct mnl_socket *socket; /* NULL = not open */
	_Alignas(8) uint8_t buf[NETLINK_BUFFER];
};

/* Opens the socket for the notifications of @protocol in the network namespace of the calling
 * thread. The socket receives nothing before netlink_events_join(). Returns 0 or -errno.
 * netlink_events_close() must be called even after an error, and accepts an @e that is all zero. */
int netlink_events_open(struct netlink_events *e, int protocol);
int netlink_events_join(struct netlink_events *e, int group);
void netlink_events_close(struct netlink_events *e);
int netlink_events_fd(const struct netlink_events *e);

/* Reads the notifications that have arrived and calls @fn (may be NULL) for each, with @nsid as in
 * netlink_receive(). Reads at most 256 times, so that a flood of notifications does not delay the
 * control thread; the socket stays readable if more remain. Returns true if notifications were
 * lost. */
bool netlink_events_read(struct netlink_events *e,
			 void (*fn)(void *ctx, const struct nlmsghdr *m, int nsid), void *ctx);

/* Copies the text of an attribute, truncated to @room bytes including the NUL. */
void netlink_copy_text(char *to, size_t room, const struct nlattr *a);

/* Parses an RTM_NEWLINK or RTM_DELLINK. Returns false for a malformed message, and for a message of
 * AF_BRIDGE, which concerns only the port of a bridge. */
bool netlink_parse_link(const struct nlmsghdr *nlh, struct netlink_link *out);

/* Parses an RTM_NEWNEIGH or RTM_DELNEIGH. Returns false for a malformed message and for a family
 * other than IPv4 and IPv6. */
bool netlink_parse_neighbour(const struct nlmsghdr *nlh, struct netlink_neighbour_event *out);

/* Returns true if packets of the route in this RTM_NEWROUTE or RTM_DELROUTE leave through the link
 * @ifindex. Also returns true if the route names a next-hop object, because that object may name
 * the link. */
bool netlink_route_leaves_by(const struct nlmsghdr *nlh, uint32_t ifindex);

/* Reads the destination of a route message. Returns false if it is missing or not valid. */
bool netlink_parse_destination(const struct nlmsghdr *nlh, struct prefix *out);

#endif
