/* SPDX-License-Identifier: MIT */
/*
 * aead_trial.c - measures how fast a backend is on this machine.
 *
 * A backend with wider registers is not always faster. An emulator, for example, calls a function
 * for some vector instructions, and runs 128-bit code twice as fast as 256-bit code (docs/aead.md).
 */
#include "crypto/aead_trial.h"

#include <time.h>

#include "wgxdp/limits.h"

#define N_PACKETS 8
#define PACKET_LEN 1424 /* a data message of a full packet with the usual MTU of 1420 */
#define N_RUNS 8

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* Takes the shortest run, because an interrupt or another process can only make a run longer. The
 * first run also brings code and data into the caches. */
uint64_t aead_trial_ns(const struct aead_backend *b)
{
	static const uint8_t key[AEAD_KEY_LEN];
	uint8_t packets[N_PACKETS][PACKET_LEN + AEAD_TAG_LEN] = { { 0 } };
	struct aead_job jobs[N_PACKETS];
	uint64_t shortest = UINT64_MAX;

	for (size_t i = 0; i < N_PACKETS; i++)
		jobs[i] = (struct aead_job){
			.key = key,
			.counter = i,
			.src = packets[i],
			.dst = packets[i],
			.len = PACKET_LEN,
		};
	for (int run = 0; run < N_RUNS; run++) {
		uint64_t start_ns = now_ns(), took_ns;

		b->seal_batch(jobs, N_PACKETS);
		took_ns = now_ns() - start_ns;
		if (took_ns < shortest)
			shortest = took_ns;
	}
	return shortest;
}
