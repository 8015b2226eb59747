/* SPDX-License-Identifier: MIT */
/*
 * suspend.h - did the host sleep, or is it a copy of a virtual machine that may run twice? Then nothing may
 * be sealed under the keys that are in memory: elsewhere, or in what was before, their counters have
 * been used.
 *
 *   slept    CLOCK_BOOTTIME went on and CLOCK_MONOTONIC did not: everybody can see it, at any time
 *   a copy   the kernel says so (daemon/vmgenid.c): @copies goes up
 *
 *   anybody    suspend_stale(): does anything of that hold? Seals nothing until it does not
 *   control    suspend_begin(); all sessions and handshakes wiped; suspend_end()
 *
 * A thread may be put to sleep between any two instructions, so a look before sealing proves nothing. A
 * worker looks again when it has sealed, before it sends (egress.c): what it sends then was sealed
 * before it looked, hence before the host slept. If the control thread has wiped meanwhile, so that
 * nothing is stale any more, the worker sees its sessions revoked: suspend_end() (A) is a release, which
 * suspend_stale() (B) acquires.
 *
 * A sleep that ends between that look and the system call sends what was sealed before it. Of a copy we
 * know no sooner than the kernel tells: what a worker sends in the moment until then nobody but the
 * hypervisor could stop.
 */
#ifndef WGXDP_SUSPEND_H
#define WGXDP_SUSPEND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* No sleep is shorter: while less of BOOTTIME has passed, the clocks need no comparison. */
#define SUSPEND_GAP_NS (10 * NS_PER_MS)

struct suspend {
	_Atomic int64_t slept_ns; /* BOOTTIME - MONOTONIC when all was wiped last */
	_Atomic uint64_t copies;  /* counted by whoever hears of one; any thread */
	_Atomic uint64_t wiped;	  /* copies when all was wiped last */
};

void suspend_init(struct suspend *a);

/* True from the moment in which the host has slept or is known to be a copy until all is wiped. Reads two
 * clocks. Any thread. */
bool suspend_stale(const struct suspend *a);

/* How often a copy was heard of: if it is what it was, there was none. Any thread. */
static inline uint64_t suspend_copies(const struct suspend *a)
{
	return atomic_load_explicit(&a->copies, memory_order_acquire);
}

void suspend_copied(struct suspend *a);

/* The control thread takes note of what is, wipes, and says that it has. What happens in between is stale
 * again after. */
struct suspend_mark {
	int64_t slept_ns;
	uint64_t copies;
};

struct suspend_mark suspend_begin(const struct suspend *a);
void suspend_end(struct suspend *a, struct suspend_mark mark);

#endif
