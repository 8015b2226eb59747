/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * limit.bpf.h - limits events per second over all CPUs. The state is one word:
 *
 *   63            32 31             0
 *   second of BOOTTIME │ used in it
 *
 * A CPU that loses the race for the word is refused, so the limit is never exceeded.
 */
#ifndef WGXDP_LIMIT_BPF_H
#define WGXDP_LIMIT_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "wgxdp/limits.h"

static __always_inline bool limit_take(__u64 *word, __u32 per_second)
{
	__u64 second = bpf_ktime_get_boot_ns() / NS_PER_S;
	__u64 old = *(volatile __u64 *)word, new = old + 1;

	if (old >> 32 != second)
		new = second << 32 | 1;
	else if ((__u32)old >= per_second)
		return false;
	return __sync_val_compare_and_swap(word, old, new) == old;
}

#endif
