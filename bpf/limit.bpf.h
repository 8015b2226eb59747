/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * limit.bpf.h - limits events per second over all CPUs. The state is one word:
 *
 *   63              32 │ 31                   0
 *   second of BOOTTIME │ events in that second
 *
 * Linux before 5.12 accepts only one atomic instruction, addition without a result, and refuses
 * other atomic instructions even in code that never runs. Therefore the word is checked and changed
 * in two steps. CPUs that check the word at the same time may exceed the limit by one event each,
 * and CPUs that see a new second at the same time may each start the count again.
 */
#ifndef WGXDP_LIMIT_BPF_H
#define WGXDP_LIMIT_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "wgxdp/limits.h"

/* Returns true, and counts one event, if fewer than @per_second events were counted in @word during
 * the current second. */
static __always_inline bool limit_take(__u64 *word, __u32 per_second)
{
	__u64 second = bpf_ktime_get_boot_ns() / NS_PER_S;
	__u64 old = *(volatile __u64 *)word;

	if (old >> 32 != second) {
		*(volatile __u64 *)word = second << 32 | 1;
		return true;
	}
	if ((__u32)old >= per_second)
		return false;
	/* Use assembly, because the compiler may choose another instruction for
	 * __sync_fetch_and_add(). */
	asm volatile("lock *(u64 *)(%0 + 0) += %1" : : "r"(word), "r"(1ULL) : "memory");
	return true;
}

#endif
