/* SPDX-License-Identifier: MIT */
/*
 * reply_wait.h - a worker that has sent a single packet, which is often a request, waits a short
 * time for the reply before it sleeps. If it slept at once, the reply would have to wake it, which
 * takes long on an idle CPU, above all in a virtual machine (docs/decisions.md).
 *
 *   one packet sent ─▶ due? ─┬─ no ──────────────────────────────────────────▶ poll(), sleeping
 *                            └─ yes ─▶ poll() at once, sched_yield(), again ─┬▶ handle it
 *                                      until a source is ready, the time is  │
 *                                      over, or another thread has run ──────┴▶ poll(), sleeping
 *
 * A wait costs CPU time. Unlike a thread that wakes up, the waiting thread does not preempt another
 * thread when the reply comes. So three rules limit the waits. In these rules, a look is one poll()
 * and the sched_yield() after it.
 *   - A wait takes at most REPLY_WAIT_NS. It ends early if one look took REPLY_WAIT_LOOK_NS or
 *     more, because another thread has then probably run on this CPU.
 *   - The waits of a worker take at most 1 / REPLY_WAIT_SHARE of the time that passes, plus
 *     REPLY_WAIT_BURST_NS.
 *   - A wait without a reply is a miss. After m misses the worker skips the next 2^m - 2
 *     waits. A reply halves m. If one look of a miss took REPLY_WAIT_NS or more, the CPU is
 *     busy, and m becomes REPLY_WAIT_MISSES, its maximum.
 *
 * Any message from the network counts as the reply. If the host sends a second packet first, the
 * wait ends as a miss.
 *
 * A worker has one struct reply_wait, which only its thread uses. A zeroed struct is valid.
 */
#ifndef WGXDP_REPLY_WAIT_H
#define WGXDP_REPLY_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#define REPLY_WAIT_NS 200000
#define REPLY_WAIT_LOOK_NS 50000
#define REPLY_WAIT_SHARE 8
#define REPLY_WAIT_BURST_NS 1000000
#define REPLY_WAIT_MISSES 8

struct pollfd;

struct reply_wait {
	unsigned misses;
	uint32_t skip; /* number of waits that the worker will skip next */
	/* The time (CLOCK_MONOTONIC) at which the waits so far will be 1 / REPLY_WAIT_SHARE of the
	 * time that has passed, if no further wait is made. If it is in the past, the waits have
	 * taken less than this share. */
	uint64_t even_at_ns;
};

/* Waits for the reply to a packet that has just been sent, if a wait is due. @fds are @n arguments
 * for poll(), whose revents are filled in; a reply can only come from fds[@outside] and later ones.
 * Returns true if a descriptor is ready, and false if the worker must sleep. */
bool reply_wait(struct reply_wait *r, struct pollfd *fds, unsigned n, unsigned outside);

#endif
