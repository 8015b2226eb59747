/* SPDX-License-Identifier: MIT */
/*
 * ratelimit.h - token buckets for handshakes of proven sources while under load: one a source,
 * an IPv4 address or an IPv6 /64. Fixed memory: a table of RATELIMIT_BUCKETS, least recently used
 * go first. Besides, which messages were let through: whoever saw one can send it again from its
 * address, and must not spend the source's tokens by that. Control thread only.
 */
#ifndef WGXDP_RATELIMIT_H
#define WGXDP_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "wg/endpoint.h"

#define RATELIMIT_BUCKETS 8192
#define RATELIMIT_REMEMBERED 4096 /* messages, one a place that its hash chooses */

struct ratelimit;

/* @per_s: 1..NS_PER_S; @burst: at least 1; @secret keys the hash of sources. NULL when out of
 * memory. */
struct ratelimit *ratelimit_new(uint32_t per_s, uint32_t burst, const uint8_t secret[static 16]);
void ratelimit_free(struct ratelimit *r);

/* Takes a token of @from's source. Returns false when there is none. A clock that goes back stands
 * still here. */
bool ratelimit_take(struct ratelimit *r, const struct endpoint *from, uint64_t now_ns);

/* Of a message for which a token was taken, by its valid mac2. */
void ratelimit_remember(struct ratelimit *r, const uint8_t mac2[static 16]);

/* Is it remembered? False for what was, once 4096 others or so were let through. */
bool ratelimit_remembers(const struct ratelimit *r, const uint8_t mac2[static 16]);

#endif
