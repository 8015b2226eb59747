/* SPDX-License-Identifier: MIT */
/*
 * suspend.h - detects that the host was suspended, or that it is a copy of a virtual machine. In
 * both cases the keys in memory are stale and nothing may be sealed under them: their counters may
 * have been used already, by the other copy or by the machine before it was restored.
 *
 *   suspended   CLOCK_BOOTTIME advanced and CLOCK_MONOTONIC did not; any thread can see this
 *   copied      the kernel reports it (daemon/vmgenid.c), and @copies is incremented
 *
 *   any thread       suspend_stale(): true in either case; seal nothing until it is false
 *   control thread   suspend_begin(); wipe all sessions and handshakes; suspend_end()
 *
 * A thread can be suspended between any two instructions, so a check before sealing proves
 * nothing. A worker therefore checks again between sealing and sending (egress.c). What it then
 * sends was sealed before the check, hence before the suspend. The control thread may have wiped
 * the keys in between, so that nothing is stale any more. Then the worker sees its sessions
 * revoked, because suspend_end() (A) is a release that suspend_stale() (B) acquires.
 *
 * Two gaps remain. A suspend between the check and the system call sends what was sealed before
 * it. A copy is known only when the kernel reports it; nothing but the hypervisor could stop what
 * a worker sends before that.
 */
#ifndef WGXDP_SUSPEND_H
#define WGXDP_SUSPEND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A suspend takes longer than this. While less of BOOTTIME has passed, the clocks need not be
 * compared. */
#define SUSPEND_GAP_NS (10 * NS_PER_MS)

struct suspend {
	_Atomic int64_t slept_ns; /* BOOTTIME - MONOTONIC at the last wipe */
	_Atomic uint64_t copies;  /* how often the kernel reported a copy; any thread */
	_Atomic uint64_t wiped;	  /* the value of copies at the last wipe */
};

void suspend_init(struct suspend *a);

/* True from a suspend or a reported copy until the keys are wiped. Reads two clocks. Any thread. */
bool suspend_stale(const struct suspend *a);

/* Returns how often a copy was reported. If this is unchanged, there was none. Any thread. */
static inline uint64_t suspend_copies(const struct suspend *a)
{
	return atomic_load_explicit(&a->copies, memory_order_acquire);
}

/* Records that the kernel reported a copy. Any thread. */
void suspend_copied(struct suspend *a);

/* The control thread calls suspend_begin(), wipes, and calls suspend_end() with the mark. A
 * suspend or copy in between leaves the keys stale. */
struct suspend_mark {
	int64_t slept_ns;
	uint64_t copies;
};

struct suspend_mark suspend_begin(const struct suspend *a);
void suspend_end(struct suspend *a, struct suspend_mark mark);

#endif
