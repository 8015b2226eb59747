/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "vectors.h"
#include "wg/kdf.h"

static struct vectors v;

static void test_hmac(void **state)
{
	uint8_t key[32], data[256], hmac[32], out[32];

	(void)state;
	for (vectors_open(&v, "kdf.txt"); vectors_next(&v);) {
		size_t len = vectors_get_any(&v, "data", data, sizeof(data));

		vectors_get(&v, "key", key, sizeof(key));
		vectors_get(&v, "hmac", hmac, sizeof(hmac));
		kdf_hmac(out, key, data, len);
		assert_memory_equal(out, hmac, 32);
		/* the output overwrites the key */
		kdf_hmac(key, key, data, len);
		assert_memory_equal(key, hmac, 32);
	}
}

static void test_kdf(void **state)
{
	uint8_t ck[32], data[256], expected[3][32], out[3][32];

	(void)state;
	for (vectors_open(&v, "kdf.txt"); vectors_next(&v);) {
		size_t len = vectors_get_any(&v, "data", data, sizeof(data));

		vectors_get(&v, "key", ck, sizeof(ck));
		vectors_get(&v, "t1", expected[0], 32);
		vectors_get(&v, "t2", expected[1], 32);
		vectors_get(&v, "t3", expected[2], 32);

		kdf1(out[0], ck, data, len);
		assert_memory_equal(out[0], expected[0], 32);
		memset(out, 0, sizeof(out));
		kdf2(out[0], out[1], ck, data, len);
		assert_memory_equal(out, expected, 64);
		memset(out, 0, sizeof(out));
		kdf3(out[0], out[1], out[2], ck, data, len);
		assert_memory_equal(out, expected, 96);
		/* the output overwrites the chaining key, as in the handshake */
		kdf3(ck, out[1], out[2], ck, data, len);
		assert_memory_equal(ck, expected[0], 32);
		assert_memory_equal(out[1], expected[1], 64);
	}
}

/* Compares HASH and MAC with the vectors. HASH takes two inputs, so the data is split at several
 * positions. */
static void test_hash_mac(void **state)
{
	uint8_t key[32], data[1024], expected[32], out[32];
	unsigned hashes = 0, macs = 0;

	(void)state;
	for (vectors_open(&v, "blake2s.txt"); vectors_next(&v);) {
		size_t key_len = vectors_get_any(&v, "key", key, sizeof(key));
		size_t len = vectors_get_any(&v, "data", data, sizeof(data));
		size_t out_len = vectors_get_any(&v, "out", expected, sizeof(expected));

		if (key_len == 0 && out_len == WIRE_HASH_LEN) {
			for (size_t cut = 0; cut <= len; cut += 7) {
				kdf_hash(out, data, cut, data + cut, len - cut);
				assert_memory_equal(out, expected, WIRE_HASH_LEN);
			}
			hashes++;
		} else if (key_len != 0 && out_len == WIRE_MAC_LEN) {
			kdf_mac(out, key, key_len, data, len);
			assert_memory_equal(out, expected, WIRE_MAC_LEN);
			macs++;
		}
	}
	assert_true(hashes >= 20 && macs >= 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hmac),
		cmocka_unit_test(test_kdf),
		cmocka_unit_test(test_hash_mac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
