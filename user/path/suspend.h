/* SPDX-License-Identifier: MIT */
/*
 * suspend.h - detects that the host was suspended, or that it is a virtual machine that was
 * restored from a snapshot or cloned. The keys in memory are then stale, and nothing may be sealed
 * under them. After a suspend they may have expired. In a restored or cloned machine, their
 * counters may already have been used: by this machine before it was restored, or by the machine
 * from which it was cloned, or by another clone. In this header, "copied" means restored or cloned.
 *
 *   suspended   CLOCK_BOOTTIME advanced and CLOCK_MONOTONIC did not; any thread can see this
 *   copied      the kernel reports a new VM generation ID (daemon/vmgenid.c), and @copies is
 *               incremented
 *
 *   any thread       suspend_stale(): true in either case; seal nothing while it returns true
 *   control thread   suspend_begin(); wipe all sessions and handshakes; suspend_end()
 *
 * A thread can be suspended between any two instructions, so a check before sealing proves
 * nothing. A worker therefore checks again between sealing and sending (seal.c). A message passes
 * this check only if the host was not suspended since the current iteration of the worker's loop
 * began. If the host was suspended and the control thread has already wiped the keys,
 * suspend_stale() is false again. But then the worker sees that its sessions are revoked, because
 * suspend_stale() (B) acquires what suspend_end() (A) released.
 *
 * Two gaps remain. If the host is suspended between the check and the system call, messages that
 * were sealed before the suspend are sent after the resume. And in a restored or cloned machine a
 * worker goes on sending until the kernel reports the new VM generation ID.
 */
#ifndef WGXDP_SUSPEND_H
#define WGXDP_SUSPEND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Every suspend takes longer than this. If less BOOTTIME has passed since the last check, the
 * clocks need not be compared. */
#define SUSPEND_GAP_NS (10 * NS_PER_MS)

struct suspend {
	_Atomic int64_t slept_ns; /* BOOTTIME - MONOTONIC at the last wipe */
	_Atomic uint64_t copies;  /* number of calls of suspend_copied(), by any thread */
	_Atomic uint64_t wiped;	  /* the value of copies at the last wipe */
};

void suspend_init(struct suspend *a);

/* After a suspend or a call of suspend_copied(), returns true until the keys have been wiped. Reads
 * two clocks. Any thread may call this. */
bool suspend_stale(const struct suspend *a);

/* Returns how often suspend_copied() was called so far. Any thread may call this. */
static inline uint64_t suspend_copies(const struct suspend *a)
{
	return atomic_load_explicit(&a->copies, memory_order_acquire);
}

/* Records a report that this virtual machine was restored or cloned. Any thread may call this. */
void suspend_copied(struct suspend *a);

/* The control thread calls suspend_begin(), wipes all keys, and gives suspend_end() the mark that
 * suspend_begin() returned. If a suspend or a call of suspend_copied() comes between the two calls,
 * suspend_stale() stays true, so the keys are wiped again. */
struct suspend_mark {
	int64_t slept_ns;
	uint64_t copies;
};

struct suspend_mark suspend_begin(const struct suspend *a);
void suspend_end(struct suspend *a, struct suspend_mark mark);

#endif
