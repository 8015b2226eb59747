/* SPDX-License-Identifier: MIT */
/*
 * node.h - what a device asks of its world: struct device_ops of a simulated node. Part of world.h.
 *
 * Checked at each call: a message's sender index was begun before; an index begins and ends once; the
 * keys of a session and the counters under them (witness.h); a session or peer that is retired can no
 * longer be found.
 */
#ifndef WGXDP_TEST_NODE_H
#define WGXDP_TEST_NODE_H

#include "network.h"

extern const struct device_ops node_ops;
extern const struct device_mirror node_mirror;

void node_random(void *ctx, void *out, size_t n);

uint64_t node_unix_ns(void *ctx);

/* Sends what waits, as far as there is a session; in world.c. */
void node_flush(void *ctx, struct peer *p);

#endif
