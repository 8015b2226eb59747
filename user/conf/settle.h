/* SPDX-License-Identifier: MIT */
/*
 * settle.h - decides which peer has which prefix after the last line of a config file, whose blocks
 * may give, take and repeat prefixes. Private to user/conf.
 */
#ifndef WGXDP_SETTLE_H
#define WGXDP_SETTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wg/prefix.h"

/* One step gives @prefix to @peer (a number), or takes it from @peer if that has it. */
struct settle_step {
	struct prefix prefix; /* masked */
	bool take;
	bool kept;    /* out: the peer has the prefix in the end, by this step */
	size_t until; /* from the step of this index on the peer has lost the prefix; 0 = never */
	uint32_t peer;
	unsigned line, column;
};

/* Sets kept in the @n @steps, which are in the order of the file. The rules are those of the
 * device: a prefix that is given to its holder again stays in its place, and one that is given to
 * another peer moves. Steps of peers with @ignored[peer] have no effect. @moved is called for each
 * prefix that moves, with the step that moves it. Returns 0 or -ENOMEM. */
int settle(struct settle_step *steps, size_t n, const bool *ignored,
	   void (*moved)(void *ctx, const struct settle_step *step), void *ctx);

#endif
