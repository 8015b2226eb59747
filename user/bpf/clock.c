/* SPDX-License-Identifier: MIT */
#include "bpf/clock.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/clock.skel.h"
#include "util/clock.h"
#include "wgxdp/limits.h"

#define READS 4

static int64_t boottime_ns(void)
{
	return (int64_t)clock_ns(CLOCK_BOOTTIME);
}

/* Reads the clock several times and uses the read that took the shortest time, because preemption
 * disturbed that read least. */
static int measure(const struct clock_bpf *skel, int64_t *ahead_ns)
{
	int64_t before_ns, took_ns, shortest_ns = INT64_MAX;
	uint8_t frame[ETH_ZLEN] = { 0 }; /* a TC program needs a frame as input */
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame));
	int err;

	for (unsigned i = 0; i < READS; i++) {
		before_ns = boottime_ns();
		err = bpf_prog_test_run_opts(bpf_program__fd(skel->progs.wgxdp_clock), &opts);
		took_ns = boottime_ns() - before_ns;
		if (err)
			return err;
		if (took_ns >= shortest_ns)
			continue;
		shortest_ns = took_ns;
		*ahead_ns = (int64_t)skel->bss->now_ns - before_ns;
	}
	return 0;
}

int clock_ahead(int64_t *ahead_ns)
{
	struct clock_bpf *skel = clock_bpf__open_and_load();
	int err = skel ? measure(skel, ahead_ns) : -errno;

	clock_bpf__destroy(skel);
	return err;
}
