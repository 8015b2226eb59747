/* SPDX-License-Identifier: MIT */
/* test_slot_index.c - compares slot_index with a plain list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "util/slot_index.h"

#define SLOTS 500
#define KEYS 40
#define STEPS 20000

/* Makes key @number and returns its length. Keys 2n and 2n + 1, of 4 and 16 bytes, have the same
 * first 4 bytes. */
static size_t key_of(unsigned number, uint8_t key[static SLOT_INDEX_KEY_MAX])
{
	memset(key, 0, SLOT_INDEX_KEY_MAX);
	key[3] = (uint8_t)(number / 2);
	return number % 2 ? 16 : 4;
}

/* Checks that the walk meets each slot of key @number once, and no other slot. */
static void check(const struct slot_index *x, const int keys[static SLOTS], int number)
{
	uint8_t key[SLOT_INDEX_KEY_MAX], met[SLOTS] = { 0 };
	size_t len = key_of((unsigned)number, key);

	for (uint32_t s = slot_index_first(x, key, len); s != SLOT_INDEX_NONE;
	     s = slot_index_next(x, s)) {
		assert_true(s < SLOTS);
		met[s]++;
	}
	for (unsigned s = 0; s < SLOTS; s++) {
		assert_int_equal(met[s], keys[s] == number);
		assert_int_equal(slot_index_has(x, s, key, len), keys[s] == number);
	}
}

static void random_steps(void **state)
{
	uint8_t key[SLOT_INDEX_KEY_MAX];
	struct slot_index x;
	int keys[SLOTS];

	(void)state;
	memset(keys, -1, sizeof(keys));
	slot_index_init(&x);
	for (unsigned step = 0; step < STEPS; step++) {
		uint32_t slot = randombytes_uniform(SLOTS), number = randombytes_uniform(KEYS);

		if (randombytes_uniform(3)) {
			assert_int_equal(slot_index_put(&x, slot, key, key_of(number, key)), 0);
			keys[slot] = (int)number;
		} else {
			slot_index_remove(&x, slot);
			keys[slot] = -1;
		}
		if (step % 100 == 0)
			check(&x, keys, (int)number);
	}
	for (int number = 0; number < KEYS; number++)
		check(&x, keys, number);
	slot_index_done(&x);
}

static void empty(void **state)
{
	struct slot_index x = { 0 };
	size_t len;

	(void)state;
	assert_int_equal(slot_index_first(&x, "abcd", 4), SLOT_INDEX_NONE);
	assert_null(slot_index_key(&x, 3, &len));
	slot_index_remove(&x, 3);
	slot_index_done(&x);
	slot_index_init(&x);
	assert_int_equal(slot_index_put(&x, 70000, "abcd", 4), 0);
	assert_memory_equal(slot_index_key(&x, 70000, &len), "abcd", 4);
	assert_int_equal(len, 4);
	assert_int_equal(slot_index_first(&x, "abcd", 4), 70000);
	assert_int_equal(slot_index_next(&x, 70000), SLOT_INDEX_NONE);
	slot_index_done(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(random_steps),
					    cmocka_unit_test(empty) };

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
