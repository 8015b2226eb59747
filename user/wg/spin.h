/* SPDX-License-Identifier: MIT */
/*
 * spin.h - a lock for critical sections of a few hundred instructions that are hardly ever
 * contended: in stage.c, session.c and path/roaming.c. The lock is not a futex, because wg/ makes
 * no system call. A thread that holds the lock must not sleep.
 */
#ifndef WGXDP_SPIN_H
#define WGXDP_SPIN_H

#include <stdatomic.h>

static inline void spin_lock(atomic_flag *lock)
{
	while (atomic_flag_test_and_set_explicit(lock, memory_order_acquire)) {
#if defined(__x86_64__) || defined(__i386__)
		__builtin_ia32_pause();
#elif defined(__aarch64__)
		__asm__ volatile("yield");
#endif
	}
}

static inline void spin_unlock(atomic_flag *lock)
{
	atomic_flag_clear_explicit(lock, memory_order_release);
}

#endif
