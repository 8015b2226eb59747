/* SPDX-License-Identifier: MIT */
/*
 * node.h - struct device_ops and struct device_mirror of a simulated node. Part of world.h.
 *
 * These operations check that index_begin() was called for the sender index of each initiation and
 * response, that index_end() is called once for each index, that keys and counters are right
 * (witness.h), and that a retired session or peer can no longer be found.
 */
#ifndef WGXDP_TEST_NODE_H
#define WGXDP_TEST_NODE_H

#include "network.h"

extern const struct device_ops node_ops;
extern const struct device_mirror node_mirror;

void node_random(void *ctx, void *out, size_t n);

uint64_t node_unix_ns(void *ctx);

/* Sends the staged packets if there is a session. Defined in world.c. */
void node_flush(void *ctx, struct peer *p);

#endif
