/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * sample.bpf.h - writes samples of dropped packets to the ring `events`, a few per second for each
 * reason. If the ring is full, only the sample is lost; the drop is still counted.
 */
#ifndef WGXDP_SAMPLE_BPF_H
#define WGXDP_SAMPLE_BPF_H

#include "limit.bpf.h"
#include "maps.bpf.h"

/* Each BPF object has its own limits. EVENTS_PER_S still holds for each reason, because no two
 * objects drop packets for the same reason. */
static __u64 sample_limits[REASON_COUNT];

/* Returns an event for the caller to complete and submit. Returns NULL if the limit of the reason
 * is used up or the ring is full. */
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
	e->reason = reason;
	e->ifindex = ifindex;
	e->bytes = bytes;
	e->hook = hook;
	return e;
}

/*
 * Returns how many bytes of a packet of @len bytes to copy, 1 to EVENT_HEAD_LEN. The verifier must
 * be able to prove these bounds. A comparison is not enough for the verifier of Linux 6.1, which
 * learns nothing from a comparison with 0 and forgets the bound of a spilled register. Therefore a
 * mask sets the bound. For an empty packet the result is EVENT_HEAD_LEN, and the caller's read then
 * fails.
 */
static __always_inline __u32 sample_head_len(__u32 len)
{
	__u32 last = len - 1;

	_Static_assert(!(EVENT_HEAD_LEN & (EVENT_HEAD_LEN - 1)), "a power of two");
	if (last >= EVENT_HEAD_LEN)
		last = EVENT_HEAD_LEN - 1;
	barrier_var(last); /* Without this, the compiler removes the mask as redundant. */
	return (last & (EVENT_HEAD_LEN - 1)) + 1;
}

#endif
