/* SPDX-License-Identifier: MIT */
/*
 * ratelimit.h - token buckets for handshakes of proven sources while under load: one a source,
 * an IPv4 address or an IPv6 /64. Fixed memory: a table of RATELIMIT_BUCKETS, least recently used
 * go first. Control thread only.
 */
#ifndef WGXDP_RATELIMIT_H
#define WGXDP_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "wg/endpoint.h"

#define RATELIMIT_BUCKETS 8192

struct ratelimit;

/* @per_s: 1..NS_PER_S; @burst: at least 1; @secret keys the hash of sources. NULL when out of
 * memory. */
struct ratelimit *ratelimit_new(uint32_t per_s, uint32_t burst, const uint8_t secret[static 16]);
void ratelimit_free(struct ratelimit *r);

/* Takes a token of @from's source. Returns false when there is none. A clock that goes back stands
 * still here. */
bool ratelimit_take(struct ratelimit *r, const struct endpoint *from, uint64_t now_ns);

#endif
