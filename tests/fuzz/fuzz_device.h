/* SPDX-License-Identifier: MIT */
/* fuzz_device.h - the callbacks of a struct device, for fuzzers that create a device. */
#ifndef WGXDP_FUZZ_DEVICE_H
#define WGXDP_FUZZ_DEVICE_H

#include <string.h>

#include "wg/device.h"
#include "wgxdp/limits.h"

/* Operations that always succeed and do nothing. */
/* clang-format off */
static void op_random(void *ctx, void *out, size_t n) { (void)ctx, memset(out, 1, n); }
static uint64_t op_time(void *ctx) { (void)ctx; return NS_PER_S; }
static int op_send(void *ctx, struct peer *p, const struct endpoint *to, const void *m, size_t n)
{ (void)ctx, (void)p, (void)to, (void)m, (void)n; return 0; }
static int op_begin(void *ctx, uint32_t i, const struct peer *p, bool b)
{ (void)ctx, (void)i, (void)p, (void)b; return 0; }
static void op_end(void *ctx, uint32_t i) { (void)ctx, (void)i; }
static int op_peer(void *ctx, const struct peer *p) { (void)ctx, (void)p; return 0; }
static void op_peer_end(void *ctx, const struct peer *p) { (void)ctx, (void)p; }
static void op_identity(void *ctx) { (void)ctx; }
static int op_allowed(void *ctx, const struct prefix *x, const struct peer *p)
{ (void)ctx, (void)x, (void)p; return 0; }
static void op_allowed_end(void *ctx, const struct prefix *x) { (void)ctx, (void)x; }
static void op_changed(void *ctx, struct peer *p, enum peer_change c)
{ (void)ctx, (void)p, (void)c; }
static void op_flush(void *ctx, struct peer *p) { (void)ctx, (void)p; }
static void op_retire(void *ctx, void *o, void (*release)(void *o)) { (void)ctx; release(o); }
static void op_event(void *ctx, enum device_event e, const struct peer *p, const struct endpoint *f)
{ (void)ctx, (void)e, (void)p, (void)f; }
static const struct device_mirror device_mirror = {
	.index_begin = op_begin, .index_end = op_end,
	.peer_begin = op_peer, .peer_end = op_peer_end,
	.identity_changed = op_identity, .allowed_begin = op_allowed, .allowed_end = op_allowed_end,
};
static const struct device_ops device_ops = {
	.random = op_random, .unix_ns = op_time, .send = op_send,
	.peer_changed = op_changed, .flush = op_flush, .retire = op_retire, .event = op_event,
};
/* clang-format on */

#endif
