/* SPDX-License-Identifier: MIT */
/*
 * confirm.h - `attach --confirm SECONDS`: undoes everything unless the user runs `wgxdp confirm` in
 * time, which shows that the host can still be reached.
 *
 *   attach succeeds ─▶ PENDING ─┬─ `wgxdp confirm` ─▶ OFF: the tunnel stays up
 *                               └─ SECONDS ─▶ EXPIRED: attach's background process detaches,
 *                                             hooks included ─ 60 s ─▶ the daemon ends by itself,
 *                                             because that process may have been killed
 *
 * Only the control thread calls these functions.
 */
#ifndef WGXDP_CONFIRM_H
#define WGXDP_CONFIRM_H

#include <stdbool.h>

#include "util/loop.h"

#define CONFIRM_GRACE_NS 60000000000ULL

enum confirm_state { CONFIRM_OFF, CONFIRM_PENDING, CONFIRM_EXPIRED };

struct confirm_ops {
	/* The tunnel was confirmed (@stays is true), or the time limit has expired. */
	void (*decided)(void *ctx, bool stays);
	/* The time limit has expired, and no process detached the tunnel within CONFIRM_GRACE_NS.
	 * The daemon must end. */
	void (*end)(void *ctx);
};

struct confirm {
	const struct confirm_ops *ops;
	void *ctx;
	enum confirm_state state;
	uint64_t deadline_ns; /* when PENDING or EXPIRED ends, in loop_now_ns() time */
	struct loop_timer timer;
};

/* Starts the time limit of @seconds for the confirmation. */
void confirm_begin(struct confirm *c, struct loop *loop, uint32_t seconds,
		   const struct confirm_ops *ops, void *ctx);
void confirm_done(struct confirm *c); /* does nothing if *c is all zero */

/* Confirms the tunnel. Returns false if no confirmation is pending. */
bool confirm_given(struct confirm *c);

/* Returns the seconds left, at least 1; 0 = no confirmation is pending. */
uint32_t confirm_left_s(const struct confirm *c);

#endif
