/* SPDX-License-Identifier: MIT */
/* reply_wait.c - see reply_wait.h. */
#include "path/reply_wait.h"

#include <poll.h>
#include <sched.h>

#include "util/clock.h"

static bool is_due(struct reply_wait *r, uint64_t now_ns)
{
	if (r->skip) {
		r->skip--;
		return false;
	}
	if (r->even_at_ns < now_ns)
		r->even_at_ns = now_ns;
	return r->even_at_ns - now_ns < REPLY_WAIT_SHARE * REPLY_WAIT_BURST_NS;
}

static void count_miss(struct reply_wait *r, uint64_t look_ns)
{
	if (look_ns >= REPLY_WAIT_NS)
		r->misses = REPLY_WAIT_MISSES;
	else if (r->misses < REPLY_WAIT_MISSES)
		r->misses++;
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
	uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC), end_ns = begin_ns, look_ns;
	bool ready;

	if (!is_due(r, begin_ns))
		return false;
	do {
		uint64_t before_ns = end_ns;

		ready = poll(fds, n, 0) > 0;
		if (!ready)
			sched_yield();
		end_ns = clock_ns(CLOCK_MONOTONIC);
		look_ns = end_ns - before_ns;
	} while (!ready && look_ns < REPLY_WAIT_LOOK_NS && end_ns - begin_ns < REPLY_WAIT_NS);
	r->even_at_ns += (end_ns - begin_ns) * REPLY_WAIT_SHARE;
	if (ready && is_ready(fds + outside, n - outside))
		r->misses /= 2;
	else
		count_miss(r, look_ns);
	r->skip = r->misses ? (UINT32_C(1) << r->misses) - 2 : 0;
	return ready;
}
