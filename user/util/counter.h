/* SPDX-License-Identifier: MIT */
/*
 * counter.h - counters that one thread adds to and others read: relaxed atomics, because each
 * counter stands alone and a reader may be a moment late.
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
