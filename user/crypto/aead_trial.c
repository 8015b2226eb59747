/* SPDX-License-Identifier: MIT */
/*
 * aead_trial.c - measures how fast the backends are on this machine.
 *
 * A backend with wider registers is not always faster. An emulator, for example, calls a function
 * for some vector instructions, and runs 128-bit code twice as fast as 256-bit code (docs/aead.md).
 *
 * The backends take turns:   A A A A A A A A  B B B B B B B B  A A A A A A A A  B B B ...
 *
 * The shortest run of each backend counts, because an interrupt or another process can only make a
 * run longer. The CPU may be slow for a while, for example before it has powered up the upper
 * halves of wide registers. This slows one turn of a backend, but hardly all of its turns.
 */
#include "crypto/aead_trial.h"

#include <time.h>

#include "wgxdp/limits.h"

#define N_PACKETS 8
#define PACKET_LEN 1424 /* about a full packet: the usual MTU of a tunnel is 1420 */
#define N_TURNS 8
#define N_RUNS 8 /* calls of seal_batch() in each turn */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* Returns the time of the shortest run. */
static uint64_t take_turn(const struct aead_backend *b, struct aead_job *jobs)
{
	uint64_t shortest_ns = UINT64_MAX;

	for (int run = 0; run < N_RUNS; run++) {
		uint64_t start_ns = now_ns(), took_ns;

		b->seal_batch(jobs, N_PACKETS);
		took_ns = now_ns() - start_ns;
		if (took_ns < shortest_ns)
			shortest_ns = took_ns;
	}
	return shortest_ns;
}

void aead_trial(const struct aead_backend *const *backends, size_t n, uint64_t *ns)
{
	static const uint8_t key[AEAD_KEY_LEN];
	uint8_t packets[N_PACKETS][PACKET_LEN + AEAD_TAG_LEN] = { { 0 } };
	struct aead_job jobs[N_PACKETS];

	for (size_t i = 0; i < N_PACKETS; i++)
		jobs[i] = (struct aead_job){
			.key = key,
			.counter = i,
			.src = packets[i],
			.dst = packets[i],
			.len = PACKET_LEN,
		};
	for (size_t i = 0; i < n; i++)
		ns[i] = UINT64_MAX;
	for (int turn = 0; turn < N_TURNS; turn++) {
		for (size_t i = 0; i < n; i++) {
			uint64_t took_ns = take_turn(backends[i], jobs);

			if (took_ns < ns[i])
				ns[i] = took_ns;
		}
	}
}
