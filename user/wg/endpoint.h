/* SPDX-License-Identifier: MIT */
/*
 * endpoint.h - the address and port of a peer, and the local address from which to send to the peer
 * ("sticky source"). A plain value that is copied and compared, and owns no memory. Any thread may
 * call these functions.
 *
 *        ifindex
 *   ┌──────────────┐      local ───────────────▶ remote      ┌──────┐
 *   │ this host    │      address                address     │ peer │
 *   └──────────────┘                             and port    └──────┘
 */
#ifndef WGXDP_ENDPOINT_H
#define WGXDP_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define ENDPOINT_TEXT_LEN 64 /* "[v6%scope]:port" and its NUL */

struct endpoint {
	union { /* family AF_UNSPEC: no endpoint is known; address and port in network order */
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} remote;
	union { /* all zero: the route chooses the source address */
		struct in_addr v4;
		struct in6_addr v6;
	} local;
	uint32_t ifindex; /* the interface on which a message to @local last arrived; 0 = any */
};

/* Sets the remote side of @e from @sa (AF_INET or AF_INET6) and clears the rest. Returns false,
 * with @e unchanged, for another family. */
bool endpoint_from_sockaddr(struct endpoint *e, const struct sockaddr *sa);

/* Returns the length of e->remote for bind(2) and sendto(2). */
socklen_t endpoint_len(const struct endpoint *e);

/* Returns true if family, address, port and scope of the remote sides are equal. */
bool endpoint_same_remote(const struct endpoint *a, const struct endpoint *b);

/* Returns true if the remote sides, the local addresses and the interfaces are equal. */
bool endpoint_same(const struct endpoint *a, const struct endpoint *b);

/* Clears the local address and the interface, so that the route chooses them again. */
void endpoint_forget_local(struct endpoint *e);

/* Returns true if no packet may be sent to the remote side: if there is no endpoint, if its port is
 * 0, or if its address is in 0.0.0.0/8 (RFC 1122 3.2.1.3), unspecified, multicast, 255.255.255.255
 * or IPv4-mapped IPv6. Loopback addresses are valid, because two daemons on one host may use
 * them. */
bool endpoint_martian(const struct endpoint *e);

/* Writes "192.0.2.1:51820", "[2001:db8::1]:51820" or "" (no endpoint) into @text; returns @text. */
char *endpoint_text(const struct endpoint *e, char text[static ENDPOINT_TEXT_LEN]);

#endif
