/* SPDX-License-Identifier: MIT */
/*
 * counter.h - reads counters and times that other threads write. Relaxed atomics are enough,
 * because no other data depends on the value, and a slightly older value does no harm. Any thread
 * may call these functions.
 */
#ifndef WGXDP_COUNTER_H
#define WGXDP_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

static inline uint64_t counter_read(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
