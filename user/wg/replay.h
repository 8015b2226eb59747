/* SPDX-License-Identifier: MIT */
/*
 * replay.h - the sliding window over message counters (RFC 6479; [W] 5.4.6). Callers
 * hold the lock of the session, because roaming may move a session to another worker.
 */
#ifndef WGXDP_REPLAY_H
#define WGXDP_REPLAY_H

#include <stdint.h>

#include "wgxdp/limits.h"

struct replay {
	uint64_t next; /* the greatest accepted counter plus one */
	uint64_t bitmap[REPLAY_WINDOW_BITS / 64];
};

/* Accepts @counter once. Call this only after the tag has been verified. Returns 0, or -EALREADY if
 * @counter was accepted before, or -ERANGE if @counter is more than REPLAY_WINDOW_BITS - 64 below
 * the greatest accepted counter or is not below REJECT_AFTER_MESSAGES. */
int replay_accept(struct replay *r, uint64_t counter);

#endif
