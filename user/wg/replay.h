/* SPDX-License-Identifier: MIT */
/*
 * replay.h - sliding window over message counters, RFC 6479; [W] 5.4.6. Not locked here: the
 * session's lock covers it, since roaming may move a session between workers.
 */
#ifndef WGXDP_REPLAY_H
#define WGXDP_REPLAY_H

#include <stdint.h>

#include "wgxdp/limits.h"

struct replay {
	uint64_t next; /* one more than the greatest counter accepted */
	uint64_t bitmap[REPLAY_WINDOW_BITS / 64];
};

/* Accepts @counter once. Call only after the tag verified.
 * Returns 0, -EALREADY if it was seen, -ERANGE if it lies behind the window of
 * REPLAY_WINDOW_BITS - 64 or at or beyond REJECT_AFTER_MESSAGES. */
int replay_accept(struct replay *r, uint64_t counter);

#endif
