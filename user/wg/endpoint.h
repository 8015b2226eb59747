/* SPDX-License-Identifier: MIT */
/*
 * endpoint.h - where a peer is reached, and from which address of ours ("sticky source").
 * A value type: copied, compared, never allocated.
 */
#ifndef WGXDP_ENDPOINT_H
#define WGXDP_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define ENDPOINT_TEXT_LEN 64 /* "[v6%scope]:port" and its NUL */

struct endpoint {
	union { /* family AF_UNSPEC: no endpoint is known */
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} remote;
	union { /* all zero: let the route decide */
		struct in_addr v4;
		struct in6_addr v6;
	} local;
	uint32_t ifindex; /* the interface on which @local was last used; 0 = any */
};

/* Fills @e with a remote address from @sa (AF_INET or AF_INET6), nothing else set.
 * Returns false, leaving @e alone, for another family. */
bool endpoint_from_sockaddr(struct endpoint *e, const struct sockaddr *sa);

/* Bytes of e->remote that bind/sendto want. */
socklen_t endpoint_len(const struct endpoint *e);

/* True when family, address, port and scope of the remote side are equal. */
bool endpoint_same_remote(const struct endpoint *a, const struct endpoint *b);

/* True when the above holds and local address and interface are equal too. */
bool endpoint_same(const struct endpoint *a, const struct endpoint *b);

/* Drops what is remembered of the local side, so that the route decides again. */
void endpoint_forget_local(struct endpoint *e);

/* True for addresses that nobody can be answered at: of "this network" (RFC 1122 3.2.1.3),
 * unspecified, multicast, broadcast, IPv4 in disguise, and port 0. Loopback is not among them: two
 * nodes of one host use it. */
bool endpoint_martian(const struct endpoint *e);

/* "192.0.2.1:51820", "[2001:db8::1]:51820" or "" when there is none. Returns @text. */
char *endpoint_text(const struct endpoint *e, char text[static ENDPOINT_TEXT_LEN]);

#endif
