/* SPDX-License-Identifier: MIT */
/* reply_wait.c - see reply_wait.h. */
#include "path/reply_wait.h"

#include <poll.h>
#include <sched.h>
#include <time.h>

#include "wgxdp/limits.h"

/* If one look at the sources takes longer than this, the CPU has run another thread meanwhile.
 * Without one, a look takes about 2 us. */
#define LOOK_MAX_NS 20000

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

bool reply_wait_due(struct reply_wait *r, uint64_t now_ns)
{
	if (r->skip) {
		r->skip--;
		return false;
	}
	if (r->even_at_ns < now_ns)
		r->even_at_ns = now_ns;
	return r->even_at_ns - now_ns < REPLY_WAIT_BURST_NS;
}

void reply_wait_record(struct reply_wait *r, uint64_t waited_ns, bool came)
{
	r->even_at_ns += waited_ns * REPLY_WAIT_SHARE;
	if (came)
		r->misses = 0;
	else if (r->misses < REPLY_WAIT_MISSES)
		r->misses++;
	r->skip = r->misses < 2 ? 0 : (UINT32_C(1) << r->misses) - 2;
}

static bool is_ready(const struct pollfd *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (fds[i].revents)
			return true;
	return false;
}

bool reply_wait(struct reply_wait *r, struct pollfd *fds, unsigned n, unsigned outside)
{
	uint64_t begin_ns = now_ns(), before_ns, after_ns = begin_ns;
	bool ready;

	if (!reply_wait_due(r, begin_ns))
		return false;
	do {
		before_ns = after_ns;
		ready = poll(fds, n, 0) > 0;
		if (!ready)
			sched_yield();
		after_ns = now_ns();
	} while (!ready && after_ns - before_ns < LOOK_MAX_NS &&
		 after_ns - begin_ns < REPLY_WAIT_NS);
	reply_wait_record(r, after_ns - begin_ns, ready && is_ready(fds + outside, n - outside));
	return ready;
}
