/* SPDX-License-Identifier: MIT */
/*
 * aead_lanes.h - tests of a lanes backend's insides: ChaCha20 and Poly1305 in each lane. Included by
 * test_aead_avx2.c and test_aead_avx512.c, which include the backend first; after cmocka.h.
 */
#ifndef WGXDP_TESTS_AEAD_LANES_H
#define WGXDP_TESTS_AEAD_LANES_H

#include <sodium.h>

#include "vectors.h"

#define ROOM 2048

static void need(const struct aead_backend *backend)
{
	if (!backend->usable()) {
		print_message("%s: not on this CPU\n", backend->name);
		skip();
	}
}

static uint32_t little_endian32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* 1. chacha20.txt in each slot, the others busy with something else. */
static void test_chacha20(void **state)
{
	alignas(64) static uint8_t stream[SLOTS][BLOCK_LEN];
	static uint8_t plain[ROOM], cipher[ROOM], key[32], noise[32];
	static struct vectors v;
	uint8_t number[4] = { 0 }, nonce[8] = { 0 };

	need(*state);
	memset(noise, 0xa5, sizeof(noise));
	for (vectors_open(&v, "chacha20.txt"); vectors_next(&v);) {
		size_t len = vectors_get_any(&v, "plain", plain, sizeof(plain));

		vectors_get(&v, "cipher", cipher, len);
		vectors_get(&v, "key", key, sizeof(key));
		vectors_get(&v, "number", number, sizeof(number));
		vectors_get(&v, "nonce", nonce, sizeof(nonce));
		for (size_t at = 0; at < len; at += BLOCK_LEN) {
			for (size_t slot = 0; slot < SLOTS; slot++) {
				struct blocks b;

				for (size_t s = 0; s < SLOTS; s++) {
					b.key[s] = noise;
					b.number[s] = b.low[s] = b.high[s] = (uint32_t)(s * 77);
				}
				b.key[slot] = key;
				b.number[slot] =
					little_endian32(number) + (uint32_t)(at / BLOCK_LEN);
				b.low[slot] = little_endian32(nonce);
				b.high[slot] = little_endian32(nonce + 4);
				keystream(stream, &b, slot + 1);
				for (size_t i = 0; i < BLOCK_LEN && at + i < len; i++)
					assert_int_equal(stream[slot][i] ^ plain[at + i],
							 cipher[at + i]);
			}
		}
	}
}

/* 2. poly1305.txt in each lane, the others busy with something else; taken in two parts. */
static void test_poly1305(void **state)
{
	static uint8_t data[ROOM], noise[ROOM], key[32], tag[16], out[16];
	static struct vectors v;

	need(*state);
	memset(noise, 0xff, sizeof(noise));
	for (vectors_open(&v, "poly1305.txt"); vectors_next(&v);) {
		size_t len = vectors_get_any(&v, "data", data, sizeof(data));
		struct mac mac = { .key = key, .data = data, .len = len, .tag = out };
		struct mac other = { .key = noise, .data = noise, .len = len, .tag = out };

		vectors_get(&v, "key", key, sizeof(key));
		vectors_get(&v, "tag", tag, sizeof(tag));
		for (int lane = 0; lane < STRIPS; lane++) {
			for (size_t first = 0; first <= len; first += 16 * (1 + len / 64)) {
				const uint8_t *at[STRIPS];
				struct poly poly;

				for (int l = 0; l < STRIPS; l++) {
					enter(&poly, l, l == lane ? &mac : &other);
					at[l] = l == lane ? data : noise;
				}
				prepare(&poly);
				absorb(&poly, at, first / 16);
				for (int l = 0; l < STRIPS; l++)
					at[l] += first;
				absorb(&poly, at, (len - first) / 16);
				finish(&mac, &poly.h, lane);
				assert_memory_equal(out, tag, sizeof(tag));
			}
		}
	}
}

/* The AEAD's tag by libsodium's Poly1305. */
static void reference_tag(uint8_t tag[16], const struct mac *mac)
{
	const uint8_t zero[16] = { 0 };
	uint64_t lengths[2] = { 0, mac->len };
	crypto_onetimeauth_poly1305_state s;

	crypto_onetimeauth_poly1305_init(&s, mac->key);
	crypto_onetimeauth_poly1305_update(&s, mac->data, mac->len);
	crypto_onetimeauth_poly1305_update(&s, zero, -mac->len % 16);
	crypto_onetimeauth_poly1305_update(&s, (const uint8_t *)lengths, 16);
	crypto_onetimeauth_poly1305_final(&s, tag);
}

static void fill(uint8_t *p, size_t n, unsigned int how)
{
	randombytes_buf_deterministic(p, n, (const uint8_t[32]){ (uint8_t)how });
	for (size_t i = 0; i < n; i++) {
		if (how % 3 == 1)
			p[i] = 0xff;
		else if (how % 3 == 2 && i % 16 < 8)
			p[i] = 0xff;
	}
}

/* 3. One packet cut into strips: every length that is cut, extreme keys and data among them. */
static void test_strips(void **state)
{
	static uint8_t data[4096];
	uint8_t key[32], tag[16], out[16];
	struct poly poly;

	need(*state);
	for (unsigned int how = 0; how < 9; how++) {
		fill(data, sizeof(data), how);
		fill(key, sizeof(key), how / 3);
		for (size_t len = 16 * SPLIT_MIN_BLOCKS; len <= sizeof(data); len += 1 + how) {
			struct mac mac = { .key = key, .data = data, .len = len, .tag = out };

			reference_tag(tag, &mac);
			mac_one(&poly, &mac);
			assert_memory_equal(out, tag, sizeof(tag));
		}
	}
}

/* 4. Lanes that fall idle and are taken again: many packets of lengths that fit badly. */
static void test_lanes_refilled(void **state)
{
	enum { N = 5 * STRIPS + 3 };
	static uint8_t data[N][512], keys[N][32], out[N][16];
	struct mac macs[N];
	struct poly poly;
	uint8_t tag[16];

	need(*state);
	for (unsigned int how = 0; how < 32; how++) {
		for (unsigned int i = 0; i < N; i++) {
			fill(data[i], sizeof(data[i]), how + i);
			fill(keys[i], sizeof(keys[i]), how * i);
			macs[i] =
				(struct mac){ keys[i], data[i], (i * 37 + how * 11) % 513, out[i] };
		}
		for (size_t n = 0; n <= N; n++) {
			mac_many(&poly, macs, n);
			for (size_t i = 0; i < n; i++) {
				reference_tag(tag, &macs[i]);
				assert_memory_equal(out[i], tag, sizeof(tag));
			}
		}
	}
}

static int run_lanes_tests(const struct aead_backend *backend)
{
	void *b = (void *)(uintptr_t)backend;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_chacha20, b),
		cmocka_unit_test_prestate(test_poly1305, b),
		cmocka_unit_test_prestate(test_strips, b),
		cmocka_unit_test_prestate(test_lanes_refilled, b),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
