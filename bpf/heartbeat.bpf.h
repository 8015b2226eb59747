/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * heartbeat.bpf.h - finds out whether a worker is alive. A worker that hangs or has not started
 * must not get packets that another worker could receive.
 */
#ifndef WGXDP_HEARTBEAT_BPF_H
#define WGXDP_HEARTBEAT_BPF_H

#include <stdbool.h>

#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"

/* Returns true if @worker has written its heartbeat within the last HEARTBEAT_STALE_NS. @now_ns:
 * bpf_ktime_get_boot_ns() */
static __always_inline bool heartbeat_fresh(__u32 worker, __u64 now_ns)
{
	__u64 *last = bpf_map_lookup_elem(&heartbeat, &worker);
	__u64 last_ns = last ? *(volatile __u64 *)last : 0;

	/* The worker may have written after the caller read the clock, so the difference is
	 * signed. */
	return last_ns && (__s64)(now_ns - last_ns) < (__s64)HEARTBEAT_STALE_NS;
}

#endif
