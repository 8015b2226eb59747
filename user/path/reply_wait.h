/* SPDX-License-Identifier: MIT */
/*
 * reply_wait.h - after a worker has sent a single packet, which is often a request, it waits for
 * the reply without sleeping. Waking a thread that sleeps on an idle CPU takes 20 to 50 us in a
 * virtual machine, and now and then several times as long, so waiting shortens round trips.
 *
 *   one packet sent ─▶ due? ─┬─ no ──────────────────────────────────────────▶ poll(), sleeping
 *                            └─ yes ─▶ poll() at once, sched_yield(), again ─┬▶ next turn
 *                                      until a source is ready, the time is  │
 *                                      over, or another thread has run ──────┴▶ poll(), sleeping
 *
 * Waiting costs CPU time, so three rules limit it:
 *   - A wait takes at most REPLY_WAIT_NS. It ends as soon as the CPU has run another thread.
 *   - All waits together take at most 1 / REPLY_WAIT_SHARE of a worker's time.
 *   - After two waits in a row without a reply, the worker leaves out the next two waits; after
 *     three, the next six; after m, the next 2^m - 2. m counts up to REPLY_WAIT_MISSES.
 *
 * A worker has one struct reply_wait, which only its thread uses. Zeros are a valid beginning.
 */
#ifndef WGXDP_REPLY_WAIT_H
#define WGXDP_REPLY_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#define REPLY_WAIT_NS 300000
#define REPLY_WAIT_SHARE 4
#define REPLY_WAIT_BURST_NS (10 * UINT64_C(1000000)) /* how far the share may be exceeded */
#define REPLY_WAIT_MISSES 8

struct pollfd;

struct reply_wait {
	unsigned misses; /* waits in a row without a reply; at most REPLY_WAIT_MISSES */
	uint32_t skip;	 /* number of requests for whose replies the worker will not wait */
	/* CLOCK_MONOTONIC. If this is later than now, the waits so far took more than their share,
	 * and without another wait they will be back within it at this time. */
	uint64_t even_at_ns;
};

/* Waits for the reply to a packet that has just been sent, if a wait is due. @fds are @n arguments
 * for poll(), whose revents are filled in; a reply can only come from fds[@outside] and later ones.
 * Returns true if at least one of the descriptors is ready, and false if the worker must sleep. */
bool reply_wait(struct reply_wait *r, struct pollfd *fds, unsigned n, unsigned outside);

/* The rules, for reply_wait() and its tests. reply_wait_due() returns true if the worker waits for
 * the reply to the request that it has just sent; then reply_wait_record() must be called with the
 * duration of the wait and whether the reply @came. */
bool reply_wait_due(struct reply_wait *r, uint64_t now_ns);
void reply_wait_record(struct reply_wait *r, uint64_t waited_ns, bool came);

#endif
