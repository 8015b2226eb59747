/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "vectors.h"
#include "wgxdp/blake2s.h"
#include "wgxdp/wire.h"

static void hash(uint8_t *out, size_t out_len, const void *key, size_t key_len, const void *data,
		 size_t len)
{
	struct blake2s s;

	blake2s_init_key(&s, out_len, key, key_len);
	blake2s_update(&s, data, len);
	blake2s_final(&s, out);
}

/* RFC 7693 appendix B */
static void test_abc(void **state)
{
	static const uint8_t expected[] = {
		0x50, 0x8c, 0x5e, 0x8c, 0x32, 0x7c, 0x14, 0xe2, 0xe1, 0xa7, 0x2b,
		0xa3, 0x4e, 0xeb, 0x45, 0x2f, 0x37, 0x45, 0x8b, 0x20, 0x9e, 0xd6,
		0x3a, 0x29, 0x4d, 0x99, 0x9b, 0x4c, 0x86, 0x67, 0x59, 0x82,
	};
	struct blake2s s;
	uint8_t out[32];

	(void)state;
	blake2s_init(&s, sizeof(out));
	blake2s_update(&s, "abc", 3);
	blake2s_final(&s, out);
	assert_memory_equal(out, expected, sizeof(expected));
}

/* RFC 7693 appendix E: the Fibonacci-like sequence that the RFC's self-test hashes. */
static void sequence(uint8_t *out, size_t len, uint32_t seed)
{
	uint32_t a = 0xdead4badU * seed, b = 1;

	for (size_t i = 0; i < len; i++) {
		uint32_t t = a + b;

		a = b;
		b = t;
		out[i] = (uint8_t)(t >> 24);
	}
}

/* RFC 7693 appendix E: one hash over many hashes, which have inputs of six lengths, outputs of four
 * lengths, and a key or none. */
static void test_rfc_selftest(void **state)
{
	static const uint8_t expected[] = {
		0x6a, 0x41, 0x1f, 0x08, 0xce, 0x25, 0xad, 0xcd, 0xfb, 0x02, 0xab,
		0xa6, 0x41, 0x45, 0x1c, 0xec, 0x53, 0xc5, 0x98, 0xb2, 0x4f, 0x4f,
		0xc7, 0x87, 0xfb, 0xdc, 0x88, 0x79, 0x7f, 0x4c, 0x1d, 0xfe,
	};
	static const size_t out_lens[] = { 16, 20, 28, 32 },
			    in_lens[] = { 0, 3, 64, 65, 255, 1024 };
	uint8_t in[1024], md[32], key[32];
	struct blake2s all;

	(void)state;
	blake2s_init(&all, sizeof(md));
	for (size_t i = 0; i < 4; i++) {
		for (size_t j = 0; j < 6; j++) {
			size_t out_len = out_lens[i], in_len = in_lens[j];

			sequence(in, in_len, (uint32_t)in_len);
			hash(md, out_len, NULL, 0, in, in_len);
			blake2s_update(&all, md, out_len);
			sequence(key, out_len, (uint32_t)out_len);
			hash(md, out_len, key, out_len, in, in_len);
			blake2s_update(&all, md, out_len);
		}
	}
	blake2s_final(&all, md);
	assert_memory_equal(md, expected, sizeof(expected));
}

static struct vectors vectors;

/* Hashes every vector in one piece, and split into two pieces at every position. */
static void test_oracle(void **state)
{
	uint8_t key[32], data[1024], expected[32], out[33];

	(void)state;
	for (vectors_open(&vectors, "blake2s.txt"); vectors_next(&vectors);) {
		size_t key_len = vectors_get_any(&vectors, "key", key, sizeof(key));
		size_t len = vectors_get_any(&vectors, "data", data, sizeof(data));
		size_t out_len = vectors_get_any(&vectors, "out", expected, sizeof(expected));

		for (size_t cut = 0; cut <= len; cut++) {
			struct blake2s s;

			memset(out, 0xa5, sizeof(out));
			blake2s_init_key(&s, out_len, key, key_len);
			blake2s_update(&s, data, cut);
			blake2s_update(&s, data + cut, len - cut);
			blake2s_final(&s, out);
			assert_memory_equal(out, expected, out_len);
			assert_int_equal(out[out_len], 0xa5);
		}
	}
}

/* Checks blake2s_from_midstate(), which the XDP program uses, against every vector that has a key
 * and whose data consists of whole words. The data is unaligned. */
static void test_midstate(void **state)
{
	uint8_t key[32], data[1024 + 1], expected[32];
	unsigned tried = 0;

	(void)state;
	for (vectors_open(&vectors, "blake2s.txt"); vectors_next(&vectors);) {
		size_t key_len = vectors_get_any(&vectors, "key", key, sizeof(key));
		size_t len = vectors_get_any(&vectors, "data", data + 1, sizeof(data) - 1);
		size_t out_len = vectors_get_any(&vectors, "out", expected, sizeof(expected));
		__u32 mid[8], h[8];

		if (key_len == 0 || len == 0 || len % 4 != 0)
			continue;
		blake2s_midstate(mid, out_len, key, key_len);
		blake2s_from_midstate(h, mid, data + 1, (__u32)len);
		for (size_t i = 0; i < out_len; i++)
			assert_int_equal((uint8_t)(h[i / 4] >> 8 * (i % 4)), expected[i]);
		tried++;
	}
	assert_true(tried >= 20);
}

/* The XDP program hashes what precedes mac1 in an initiation or a response. The vectors include
 * inputs of these two lengths. */
_Static_assert(sizeof(struct wire_initiation) - sizeof(struct wire_macs) == 116, "in blake2s.txt");
_Static_assert(sizeof(struct wire_response) - sizeof(struct wire_macs) == 60, "in blake2s.txt");

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_abc),
		cmocka_unit_test(test_rfc_selftest),
		cmocka_unit_test(test_oracle),
		cmocka_unit_test(test_midstate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
