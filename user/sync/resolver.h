/* SPDX-License-Identifier: MIT */
/*
 * resolver.h - looks up the addresses of a name with c-ares in the event loop, so that the thread
 * never waits for DNS:
 *
 *   resolver_look_up ─▶ /etc/hosts, else DNS: A and AAAA at once ─▶ both have ended ─▶ fn
 *
 * The servers are those of /etc/resolv.conf. The file is checked before each lookup. If the file
 * was replaced or changed, the servers are read again, and lookups in progress end with -EAGAIN. A
 * server has 2 s to answer the first query, and 4 s for the second and last one.
 *
 * Answers come from the network. c-ares parses them; resolver_collect() keeps what a peer can have.
 *
 * One thread, that of the loop.
 */
#ifndef WGXDP_RESOLVER_H
#define WGXDP_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>

#include "util/loop.h"
#include "wg/endpoint.h"

#define RESOLVER_FAMILY_MAX 16 /* addresses that are kept of a family; the others are ignored */
#define RESOLVER_MAX (2 * RESOLVER_FAMILY_MAX)

struct ares_addrinfo;
struct resolver;
struct resolver_query;

struct resolver_answer {
	/* Without port; IPv4 before IPv6, each in the order of RFC 6724 6. */
	struct endpoint addresses[RESOLVER_MAX];
	unsigned count;
	uint32_t ttl_s; /* the smallest TTL of all records used; 0 for /etc/hosts */
	/* There was an answer for the family, perhaps that it has no address. */
	bool has_v4, has_v6;
};

/* @err is 0 with at least one address in @answer; -ENOENT (there is no such name, or none of its
 * addresses can be a peer's); or -EAGAIN (not known now). With an error @answer has no addresses
 * and @why is the reason, as "DNS did not answer". Both pointers end with the call, which may begin
 * and cancel lookups. */
typedef void (*resolver_fn)(void *ctx, int err, const struct resolver_answer *answer,
			    const char *why);

/* Opens nothing yet. The queries carry @fwmark (0 = none), which a rule may route past the tunnel.
 * Returns NULL when out of memory. */
struct resolver *resolver_new(struct loop *loop, uint32_t fwmark);
/* Sets another fwmark for later lookups. Lookups in progress end with -EAGAIN. */
void resolver_set_fwmark(struct resolver *r, uint32_t fwmark);
/* Ends all lookups without calling their functions. NULL is fine. */
void resolver_free(struct resolver *r);

/* Begins to look up @host, which is copied. @fn is called once, from the loop, never from within
 * this function. The result is owned by the resolver and ends with the call of @fn. Returns NULL
 * when out of memory or file descriptors; @fn is not called then. */
struct resolver_query *resolver_look_up(struct resolver *r, const char *host, resolver_fn fn,
					void *ctx);
/* Ends @q without calling its function. NULL is fine. */
void resolver_cancel(struct resolver_query *q);

/* Adds to @answer the addresses of @found (may be NULL) that have @family and that a peer can have:
 * not unspecified, multicast, broadcast, IPv4-mapped, or link-local, which means nothing without an
 * interface. Lowers answer->ttl_s to the least TTL. */
void resolver_collect(struct resolver_answer *answer, const struct ares_addrinfo *found,
		      int family);

#endif
