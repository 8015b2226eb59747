/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * sample.bpf.h - samples of what was dropped, for people: into the ring `events`, a few a second and
 * reason. A full ring, or none that reads it, costs the sample and nothing else.
 */
#ifndef WGXDP_SAMPLE_BPF_H
#define WGXDP_SAMPLE_BPF_H

#include "limit.bpf.h"
#include "maps.bpf.h"

/* Of this object: a reason that two programs of different objects give is sampled by both. */
static __u64 sample_limits[REASON_COUNT];

/* The event to fill in and submit, or NULL. */
static __always_inline struct event *sample_begin(enum reason reason, enum event_hook hook,
						  __u32 ifindex, __u32 bytes)
{
	struct event *e;

	if ((__u32)reason >= REASON_COUNT || !limit_take(&sample_limits[reason], EVENTS_PER_S))
		return NULL;
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e)
		return NULL;
	__builtin_memset(e, 0, sizeof(*e));
	e->boot_ns = bpf_ktime_get_boot_ns();
	e->reason = reason;
	e->ifindex = ifindex;
	e->bytes = bytes;
	e->hook = hook;
	return e;
}

/*
 * How much of a packet of @len bytes fits: 1 to EVENT_HEAD_LEN, which the verifier must see. That of
 * Linux 6.1 learns nothing from a comparison with 0, and forgets a bound that a spilled register gets;
 * so the bound is a mask, and an empty packet asks for all, which reading it then refuses.
 */
static __always_inline __u32 sample_head_len(__u32 len)
{
	__u32 last = len - 1;

	_Static_assert(!(EVENT_HEAD_LEN & (EVENT_HEAD_LEN - 1)), "a mask");
	if (last >= EVENT_HEAD_LEN)
		last = EVENT_HEAD_LEN - 1;
	barrier_var(last); /* which the compiler would find needless */
	return (last & (EVENT_HEAD_LEN - 1)) + 1;
}

#endif
