/* SPDX-License-Identifier: MIT */
/* clock.h - reads a clock of the kernel in nanoseconds. */
#ifndef WGXDP_UTIL_CLOCK_H
#define WGXDP_UTIL_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "wgxdp/limits.h"

/* Returns the time of clock @id in ns. Cannot fail for a clock that the kernel has. In a time
 * namespace, CLOCK_BOOTTIME may be negative; cast its result to int64_t there. Any thread may call
 * it. */
static inline uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

#endif
