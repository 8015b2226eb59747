/* SPDX-License-Identifier: MIT */
/*
 * settle.h - determines, after the whole config file has been read, which peer has each prefix. A
 * later [Peer] block may move a prefix to another peer, remove it, or list it again. Private to
 * user/conf.
 */
#ifndef WGXDP_SETTLE_H
#define WGXDP_SETTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wg/prefix.h"

/* One step gives @prefix to the peer with index @peer. If @take is true, the step instead removes
 * @prefix from this peer, if the peer has it. */
struct settle_step {
	struct prefix prefix; /* its host bits are 0 */
	bool take;
	bool kept;    /* output: this step gave the peer the prefix that it has at the end */
	size_t until; /* index of the step at which the peer loses the prefix; 0 = never */
	uint32_t peer;
	unsigned line, column;
};

/* Sets steps[i].kept for each of the @n @steps, which are in the order of the file. The rules are
 * those of the device: if a step gives a prefix to the peer that already has it, the prefix keeps
 * its place among the peer's allowed IPs; if a step gives a prefix to another peer, the prefix
 * moves to that peer. Steps of peers with @ignored[peer] have no effect. Calls @moved for each
 * prefix that moves, with the step that moves it. Returns 0 or -ENOMEM. */
int settle(struct settle_step *steps, size_t n, const bool *ignored,
	   void (*moved)(void *ctx, const struct settle_step *step), void *ctx);

#endif
