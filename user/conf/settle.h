/* SPDX-License-Identifier: MIT */
/*
 * settle.h - who has which prefix in the end, when blocks of a config file give, take and repeat
 * prefixes in the order of its lines. Private to conf.c.
 */
#ifndef WGXDP_SETTLE_H
#define WGXDP_SETTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wg/prefix.h"

/* One step: @peer (a number) is given @prefix, or it is taken from @peer if it has it. */
struct settle_step {
	struct prefix prefix; /* masked */
	bool take;
	bool kept;     /* out: after all steps, this one is why the peer has the prefix */
	bool replaced; /* a later step of the caller takes it already */
	uint32_t peer;
	unsigned line;
};

/* Sets kept in the @n @steps, which stand in the order of their effect, as the device would do it:
 * given to its holder again a prefix stays where it was, given to another it moves. Steps of peers
 * for which @ignored[peer] is set have no effect. @moved is called for each prefix that went from
 * one peer to another: with the step that moved it. Returns 0 or -ENOMEM. */
int settle(struct settle_step *steps, size_t n, const bool *ignored,
	   void (*moved)(void *ctx, const struct settle_step *step), void *ctx);

#endif
