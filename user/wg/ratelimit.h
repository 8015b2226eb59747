/* SPDX-License-Identifier: MIT */
/*
 * ratelimit.h - token buckets for handshakes with a valid mac2 while the device is under load. A
 * valid mac2 proves the source address, unless the message is a replay. Each source, an IPv4
 * address or an IPv6 /64, has one bucket:
 *
 *   handshake with valid mac2 ─▶ ratelimit_remembers ─ no ─▶ ratelimit_take ─▶ ratelimit_remember
 *                                     │ yes                      │ empty            and accept
 *                                     ▼                          ▼
 *                                   refuse                     refuse
 *
 * The memory is fixed: there are RATELIMIT_BUCKETS buckets, and a new source gets the least
 * recently used bucket. The accepted messages are recorded, because an observer that forges their
 * source address could replay them, and so use up the tokens of the source. Only the control thread
 * calls these functions.
 */
#ifndef WGXDP_RATELIMIT_H
#define WGXDP_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "wg/endpoint.h"

#define RATELIMIT_BUCKETS 8192
#define RATELIMIT_REMEMBERED 4096 /* recorded messages; a hash selects the place of each */

struct ratelimit;

/* Makes buckets that hold up to @burst tokens and gain @per_s tokens a second. @per_s: 1..NS_PER_S.
 * @burst: at least 1. @secret: random bytes, the key of the hash functions. Returns NULL when out
 * of memory. */
struct ratelimit *ratelimit_new(uint32_t per_s, uint32_t burst, const uint8_t secret[static 16]);
void ratelimit_free(struct ratelimit *r);

/* Takes a token from the bucket of @from. Returns false if the bucket is empty. A @now_ns that is
 * earlier than in the last call adds no token. */
bool ratelimit_take(struct ratelimit *r, const struct endpoint *from, uint64_t now_ns);

/* Records the message with @mac2, for which a token was taken. */
void ratelimit_remember(struct ratelimit *r, const uint8_t mac2[static 16]);

/* Returns true if the message with @mac2 is recorded. Each later record overwrites this one with a
 * probability of 1 / RATELIMIT_REMEMBERED. */
bool ratelimit_remembers(const struct ratelimit *r, const uint8_t mac2[static 16]);

#endif
