/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "crypto/wipe.h"
#include "crypto/x25519.h"
#include "vectors.h"

static void unhex(uint8_t out[static X25519_LEN], const char *hex)
{
	assert_int_equal(sodium_hex2bin(out, X25519_LEN, hex, 2 * X25519_LEN, NULL, NULL, NULL), 0);
}

/* The two single vectors of RFC 7748 5.2. The vectors of 6.1 are in the vector file. */
static void test_rfc_single(void **state)
{
	static const struct {
		const char *scalar, *u, *out;
	} table[] = {
		/* 1 */
		{ "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
		  "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
		  "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552" },
		/* 2: the top bit of u is set */
		{ "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
		  "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
		  "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint8_t scalar[32], u[32], expected[32], out[32];

		unhex(scalar, table[i].scalar);
		unhex(u, table[i].u);
		unhex(expected, table[i].out);
		assert_true(x25519(out, scalar, u));
		assert_memory_equal(out, expected, 32);
	}
}

/* RFC 7748 5.2, iterated: each step replaces k by X25519(k, u), and u by the old k. */
static void test_rfc_iterated(void **state)
{
	static const struct {
		unsigned iterations;
		const char *k;
	} table[] = {
		{ 1, "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079" },
		{ 1000, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51" },
	};
	uint8_t k[32] = { 9 }, u[32] = { 9 }, out[32], expected[32];
	unsigned done = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		for (; done < table[i].iterations; done++) {
			assert_true(x25519(out, k, u));
			memcpy(u, k, 32);
			memcpy(k, out, 32);
		}
		unhex(expected, table[i].k);
		assert_memory_equal(k, expected, 32);
	}
}

static void test_oracle(void **state)
{
	static struct vectors v;
	uint8_t private[32], peer[32], public[32], shared[32], out[32];

	(void)state;
	for (vectors_open(&v, "x25519.txt"); vectors_next(&v);) {
		vectors_get(&v, "private", private, 32);
		vectors_get(&v, "public", public, 32);
		vectors_get(&v, "peer", peer, 32);
		vectors_get(&v, "shared", shared, 32);
		x25519_public(out, private);
		assert_memory_equal(out, public, 32);
		assert_true(x25519(out, private, peer));
		assert_memory_equal(out, shared, 32);

		/* Clamping a key does not change the result. */
		x25519_clamp(private);
		x25519_public(out, private);
		assert_memory_equal(out, public, 32);
	}
}

static void test_clamp(void **state)
{
	uint8_t ones[32], zeros[32] = { 0 };

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	x25519_clamp(ones);
	assert_int_equal(ones[0], 0xf8);
	assert_int_equal(ones[1], 0xff);
	assert_int_equal(ones[31], 0x7f);
	x25519_clamp(zeros);
	assert_int_equal(zeros[0], 0);
	assert_int_equal(zeros[31], 0x40);
}

/* All points of low order (a divisor of 8), in each of their encodings below 2^255. X25519 ignores
 * the top bit, so setting it gives another encoding of the same point. */
static void test_low_order(void **state)
{
	static const char *const table[] = {
		/* 1: u = 0 */
		"0000000000000000000000000000000000000000000000000000000000000000",
		/* 2: u = 1 */
		"0100000000000000000000000000000000000000000000000000000000000000",
		/* 3, 4: of order 8 */
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		/* 5, 6, 7: u = p - 1, p, p + 1 */
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	uint8_t secret[32], point[32], out[32];

	(void)state;
	memset(secret, 0x5a, sizeof(secret));
	for (size_t i = 0; i < 2 * sizeof(table) / sizeof(table[0]); i++) {
		unhex(point, table[i / 2]);
		point[31] |= i % 2 ? 0x80 : 0;
		memset(out, 0xa5, sizeof(out));
		assert_false(x25519(out, secret, point));
		assert_true(is_zero_ct(out, sizeof(out)));
	}
}

static void test_wipe(void **state)
{
	uint8_t a[4] = { 1, 2, 3, 4 }, b[4] = { 1, 2, 3, 5 };

	(void)state;
	assert_true(equal_ct(a, b, 3));
	assert_false(equal_ct(a, b, 4));
	assert_false(is_zero_ct(a, 4));
	wipe(a, 3);
	assert_true(is_zero_ct(a, 3));
	assert_int_equal(a[3], 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc_single), cmocka_unit_test(test_rfc_iterated),
		cmocka_unit_test(test_oracle),	   cmocka_unit_test(test_clamp),
		cmocka_unit_test(test_low_order),  cmocka_unit_test(test_wipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
