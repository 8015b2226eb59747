/* SPDX-License-Identifier: MIT */
/*
 * test_aead_diff.c - compares every backend with direct calls of libsodium.
 *
 * AEAD_LONG=1 in the environment tests ten million random packets and every length in every batch
 * size. Otherwise the test uses a sample, which takes a few seconds. AEAD_SEED=N changes the
 * packets, and AEAD_ONLY=NAME tests only the backend of that name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "aead_batch.h"

#define LONG_PACKETS 10000000
#define SHORT_PACKETS 30000

static struct batch *batch;

static bool is_chosen(const struct aead_backend *b)
{
	const char *only = getenv("AEAD_ONLY");

	return !only || strcmp(only, b->name) == 0;
}

#define FOR_EACH_BACKEND(b)                                                                        \
	for (size_t i_ = 0; ((b) = aead_backend(i_)) != NULL; i_++)                                \
		if ((b)->usable() && is_chosen(b))

/* 1. Every length 0-2048 and some around 9000, one packet at a time, in place and not in place. */
static void test_each_length_alone(void **state)
{
	const struct aead_backend *backend;

	(void)state;
	FOR_EACH_BACKEND(backend)
	{
		for (uint32_t len = 0; len < 9010; len += len == 2048 ? 8990 - 2048 : 1) {
			for (int in_place = 0; in_place < 2; in_place++) {
				batch_lay_out(batch, &len, 1, in_place);
				batch_seal(batch, backend);
				batch_open(batch, backend, 1 + batch_random(2));
			}
		}
	}
}

/* 2. Every length 0-2039 in batches of consecutive lengths, so that SIMD lanes end one by one. */
static void test_each_length_among_others(void **state)
{
	const struct aead_backend *backend;
	uint32_t lengths[16];

	(void)state;
	FOR_EACH_BACKEND(backend)
	{
		for (uint32_t from = 0; from <= 2048 - 15; from += 11) {
			for (uint32_t i = 0; i < 16; i++)
				lengths[i] = from + (from % 2 ? i : 15 - i);
			batch_lay_out(batch, lengths, 16, from % 4 < 2);
			batch_seal(batch, backend);
			batch_open(batch, backend, 4);
		}
	}
}

/* 3. Every batch size 1-64 of packets of equal length: empty, one block, a partial block, a full
 * MTU. */
static void test_each_batch_size(void **state)
{
	static const uint32_t equal[] = { 0, 64, 100, 1424 };
	const struct aead_backend *backend;
	uint32_t lengths[BATCH_MAX];

	(void)state;
	FOR_EACH_BACKEND(backend)
	{
		for (size_t n = 1; n <= BATCH_MAX; n++) {
			for (size_t e = 0; e < sizeof(equal) / sizeof(equal[0]); e++) {
				for (size_t i = 0; i < n; i++)
					lengths[i] = equal[e];
				batch_lay_out(batch, lengths, n, e % 2);
				batch_seal(batch, backend);
				batch_open(batch, backend, 5);
			}
		}
	}
}

static uint32_t random_length(void)
{
	switch (batch_random(8)) {
	case 0:
		return batch_random(65);
	case 1:
		return 16 * batch_random(129);
	case 2:
		return 64 * batch_random(33);
	case 3:
		return batch_random(300);
	default:
		return batch_random(2049);
	}
}

/* 4. Random lengths in random batches. */
static void test_random(void **state)
{
	size_t packets = getenv("AEAD_LONG") ? LONG_PACKETS : SHORT_PACKETS;
	const struct aead_backend *backend;
	uint32_t lengths[BATCH_MAX];

	(void)state;
	FOR_EACH_BACKEND(backend)
	{
		for (size_t done = 0; done < packets; done += batch->n) {
			size_t n = 1 + batch_random(BATCH_MAX);

			for (size_t i = 0; i < n; i++)
				lengths[i] = batch_random(500) ? random_length()
							       : batch_random(BATCH_LEN_MAX + 1);
			batch_lay_out(batch, lengths, n, batch_random(2));
			batch_seal(batch, backend);
			batch_open(batch, backend, 1 + batch_random(20));
		}
	}
}

/* 5. Every length 0-2048 in every batch size 1-64, among packets of other lengths. A short run
 * tests a sample. */
static void test_each_length_in_each_batch(void **state)
{
	const struct aead_backend *backend;
	uint32_t lengths[BATCH_MAX];
	bool all = getenv("AEAD_LONG");

	(void)state;
	FOR_EACH_BACKEND(backend)
	{
		for (uint32_t len = 0; len <= 2048; len += all ? 1 : 97) {
			for (size_t n = 1; n <= BATCH_MAX; n += all ? 1 : 9) {
				for (size_t i = 0; i < n; i++)
					lengths[i] = batch_random(2) ? len : random_length();
				lengths[batch_random((uint32_t)n)] = len;
				batch_lay_out(batch, lengths, n, batch_random(2));
				batch_seal(batch, backend);
				batch_open(batch, backend, 1 + batch_random(20));
			}
		}
	}
}

/* 6. An empty batch accesses no job. */
static void test_no_jobs(void **state)
{
	const struct aead_backend *backend;

	(void)state;
	FOR_EACH_BACKEND(backend)
	{
		backend->seal_batch(NULL, 0);
		backend->open_batch(NULL, 0);
	}
}

static int setup(void **state)
{
	const char *seed = getenv("AEAD_SEED");

	(void)state;
	if (seed && strtoull(seed, NULL, 10) != 0)
		batch_seed = strtoull(seed, NULL, 10);
	batch = batch_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(batch);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_length_alone),
		cmocka_unit_test(test_each_length_among_others),
		cmocka_unit_test(test_each_batch_size),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_each_length_in_each_batch),
		cmocka_unit_test(test_no_jobs),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
