/* SPDX-License-Identifier: MIT */
/* suspend.c - see suspend.h. */
#include "path/suspend.h"

#include <time.h>

#include "util/clock.h"
#include "wgxdp/limits.h"

/* While the host is not suspended, BOOTTIME and MONOTONIC advance equally. The slack allows for
 * rounding, and is shorter than any suspend. */
#define SLACK_NS ((int64_t)NS_PER_MS)

/* Returns a signed value, because BOOTTIME may be less than MONOTONIC in a time namespace. */
static int64_t read_clock(clockid_t id)
{
	return (int64_t)clock_ns(id);
}

/* Returns a lower bound of how far BOOTTIME is ahead of MONOTONIC. BOOTTIME is read first, so that
 * a preemption between the two reads makes the result smaller and never looks like a suspend. */
static int64_t slept_at_least(void)
{
	int64_t boot_ns = read_clock(CLOCK_BOOTTIME);

	return boot_ns - read_clock(CLOCK_MONOTONIC);
}

/* Returns an upper bound of how far BOOTTIME is ahead of MONOTONIC. The smallest of several results
 * was the least disturbed by preemption. */
static int64_t slept_at_most(void)
{
	int64_t least_ns = INT64_MAX;

	for (unsigned i = 0; i < 4; i++) {
		int64_t monotonic_ns = read_clock(CLOCK_MONOTONIC);
		int64_t ahead_ns = read_clock(CLOCK_BOOTTIME) - monotonic_ns;

		if (ahead_ns < least_ns)
			least_ns = ahead_ns;
	}
	return least_ns;
}

void suspend_init(struct suspend *a)
{
	atomic_init(&a->slept_ns, slept_at_most());
	atomic_init(&a->copies, 0);
	atomic_init(&a->wiped, 0);
}

/* The loads (B) pair with the release stores (A) in suspend_end(); suspend.h explains why. */
bool suspend_stale(const struct suspend *a)
{
	uint64_t wiped = atomic_load_explicit(&a->wiped, memory_order_acquire); /* B */

	if (suspend_copies(a) != wiped)
		return true;
	return slept_at_least() >
	       atomic_load_explicit(&a->slept_ns, memory_order_acquire) + SLACK_NS; /* B */
}

void suspend_copied(struct suspend *a)
{
	atomic_fetch_add_explicit(&a->copies, 1, memory_order_acq_rel);
}

struct suspend_mark suspend_begin(const struct suspend *a)
{
	return (struct suspend_mark){ .slept_ns = slept_at_most(), .copies = suspend_copies(a) };
}

/* The release stores (A) pair with the loads (B) in suspend_stale(). */
void suspend_end(struct suspend *a, struct suspend_mark mark)
{
	atomic_store_explicit(&a->slept_ns, mark.slept_ns, memory_order_release); /* A */
	atomic_store_explicit(&a->wiped, mark.copies, memory_order_release);	  /* A */
}
