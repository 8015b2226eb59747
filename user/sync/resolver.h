/* SPDX-License-Identifier: MIT */
/*
 * resolver.h - looks up the addresses of a name with c-ares in the event loop, so that the thread
 * never waits for DNS:
 *
 *   resolver_look_up ─▶ /etc/hosts, else DNS: A and AAAA in parallel ─▶ both ended ─▶ fn
 *
 * After A or AAAA has found addresses, fn is called within 2 s, even if the other lookup has not
 * ended.
 *
 * The servers are those of /etc/resolv.conf. The file is checked before each lookup. If the file
 * was replaced or changed, the servers are read again, and lookups in progress end with -EAGAIN. A
 * server has 2 s to answer the first query, and 4 s for the second and last one.
 *
 * Answers are untrusted. c-ares checks their format, and resolver_collect() keeps only the
 * addresses that a peer can have.
 *
 * Only the thread of the loop calls these functions.
 */
#ifndef WGXDP_RESOLVER_H
#define WGXDP_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>

#include "util/loop.h"
#include "wg/endpoint.h"

#define RESOLVER_FAMILY_MAX 16 /* addresses kept for each family; further ones are ignored */
#define RESOLVER_MAX (2 * RESOLVER_FAMILY_MAX)

struct ares_addrinfo;
struct resolver;
struct resolver_query;

struct resolver_answer {
	/* Addresses without port: IPv4 before IPv6, each family in the order of RFC 6724 6. */
	struct endpoint addresses[RESOLVER_MAX];
	unsigned count;
	uint32_t ttl_s; /* the smallest TTL of all records used; 0 for /etc/hosts */
	/* True if the lookup of the family was answered, possibly without any address. */
	bool has_v4, has_v6;
};

/* Receives the result of a lookup. @err is 0 with at least one address in @answer; -ENOENT (the
 * name does not exist, or none of its addresses can belong to a peer); or -EAGAIN (no answer now).
 * After an error @answer has no addresses and @why is the reason, such as "DNS did not answer".
 * @answer and @why are valid only during the call. The function may begin and cancel lookups. */
typedef void (*resolver_fn)(void *ctx, int err, const struct resolver_answer *answer,
			    const char *why);

/* Creates a resolver, which opens no socket before the first lookup. Its queries carry @fwmark (0 =
 * no mark), so that a rule can route them past the tunnel. Returns NULL when out of memory. */
struct resolver *resolver_new(struct loop *loop, uint32_t fwmark);
/* Sets the fwmark for later lookups. Running lookups end with -EAGAIN. */
void resolver_set_fwmark(struct resolver *r, uint32_t fwmark);
/* Ends all lookups without calling their functions. Does nothing if @r is NULL. */
void resolver_free(struct resolver *r);

/* Begins to look up @host, which is copied. If @host is an IPv6 address with a link, such as
 * fe80::1%eth0, no DNS query is sent: the result is that address, or -EAGAIN while there is no such
 * link. The loop later calls @fn once, never from within this function. The resolver owns the
 * returned query, which is valid until the call of @fn. Returns NULL when out of memory or file
 * descriptors; then @fn is not called. */
struct resolver_query *resolver_look_up(struct resolver *r, const char *host, resolver_fn fn,
					void *ctx);
/* Ends @q without calling its function. Does nothing if @q is NULL. */
void resolver_cancel(struct resolver_query *q);

/* Adds to @answer the addresses of @found (may be NULL) that have @family and that a peer can have.
 * Leaves out unspecified, multicast, broadcast and IPv4-mapped addresses, and also IPv6 link-local
 * addresses, which would need an interface. Lowers answer->ttl_s to the smallest TTL. */
void resolver_collect(struct resolver_answer *answer, const struct ares_addrinfo *found,
		      int family);

#endif
