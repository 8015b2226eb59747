/* SPDX-License-Identifier: MIT */
/*
 * aead_lanes.h - tests the static functions of a backend that has lanes, lane by lane: ChaCha20 and
 * Poly1305. The including test must first include cmocka.h, the backend's .c file and a definition
 * of poly1305_in_lane(), such as aead_strips.h. If the backend computes Poly1305 without lanes, the
 * test must also define POLY_LANES as 1.
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

struct chacha_vector {
	size_t len;
	uint8_t plain[ROOM], cipher[ROOM], key[32], number[4], nonce[8];
};

/* Encrypts the block of @v at offset @at, and checks the result. The backend encrypts @used blocks
 * in parallel. This block is number @slot of them, and the others have other contents. */
static void check_slot(const struct chacha_vector *v, size_t at, size_t slot, size_t used)
{
	alignas(64) static uint8_t out[SLOTS][BLOCK_LEN];
	static const uint8_t noise[BLOCK_LEN] = { 0xa5, 0x5a };
	struct blocks b;

	for (size_t s = 0; s < SLOTS; s++) {
		b.key[s] = b.src[s] = noise;
		b.dst[s] = out[s];
		b.number[s] = b.low[s] = b.high[s] = (uint32_t)(s * 77);
	}
	b.key[slot] = v->key;
	b.src[slot] = v->plain + at;
	b.number[slot] = little_endian32(v->number) + (uint32_t)(at / BLOCK_LEN);
	b.low[slot] = little_endian32(v->nonce);
	b.high[slot] = little_endian32(v->nonce + 4);
	memset(out, 0x55, sizeof(out));
	keystream(&b, used);
	assert_memory_equal(out[slot], v->cipher + at,
			    v->len - at < BLOCK_LEN ? v->len - at : BLOCK_LEN);
	assert_true(slots_for(used) >= used && slots_for(used) <= SLOTS);
	for (size_t s = slots_for(used); s < SLOTS; s++)
		assert_int_equal(out[s][0], 0x55);
}

/* 1. The vectors of chacha20.txt, in each slot and with each number of slots in use. */
static void test_chacha20(void **state)
{
	static struct vectors file;
	static struct chacha_vector v;

	need(*state);
	for (vectors_open(&file, "chacha20.txt"); vectors_next(&file);) {
		v.len = vectors_get_any(&file, "plain", v.plain, sizeof(v.plain));
		vectors_get(&file, "cipher", v.cipher, v.len);
		vectors_get(&file, "key", v.key, sizeof(v.key));
		vectors_get(&file, "number", v.number, sizeof(v.number));
		vectors_get(&file, "nonce", v.nonce, sizeof(v.nonce));
		for (size_t at = 0; at < v.len; at += BLOCK_LEN)
			for (size_t slot = 0; slot < SLOTS; slot++)
				for (size_t used = slot + 1; used <= SLOTS; used++)
					check_slot(&v, at, slot, used);
	}
}

/* 2. The vectors of poly1305.txt, in each lane while the other lanes are busy. Each message is
 * passed in two parts, split at several offsets. */
static void test_poly1305(void **state)
{
	static uint8_t data[ROOM], noise[ROOM], key[32], tag[16], out[16], ignored[16];
	static struct vectors v;

	need(*state);
	memset(noise, 0xff, sizeof(noise));
	for (vectors_open(&v, "poly1305.txt"); vectors_next(&v);) {
		size_t len = vectors_get_any(&v, "data", data, sizeof(data));
		struct mac mac = { .key = key, .data = data, .len = len, .tag = out };
		struct mac other = { .key = noise, .data = noise, .len = len, .tag = ignored };

		vectors_get(&v, "key", key, sizeof(key));
		vectors_get(&v, "tag", tag, sizeof(tag));
		for (int lane = 0; lane < POLY_LANES; lane++) {
			for (size_t first = 0; first <= len; first += 16 * (1 + len / 64)) {
				poly1305_in_lane(&mac, &other, lane, first);
				assert_memory_equal(out, tag, sizeof(tag));
			}
		}
	}
}

/* Computes the AEAD's tag of the packet with libsodium's Poly1305. */
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

/* 3. One packet alone, of many lengths up to 4096, with random and extreme keys and data. */
static void test_alone(void **state)
{
	static uint8_t data[4096];
	uint8_t key[32], tag[16], out[16];
	struct poly poly;

	need(*state);
	for (unsigned int how = 0; how < 9; how++) {
		fill(data, sizeof(data), how);
		fill(key, sizeof(key), how / 3);
		for (size_t len = 0; len <= sizeof(data); len += 1 + how) {
			struct mac mac = { .key = key, .data = data, .len = len, .tag = out };

			reference_tag(tag, &mac);
			mac_one(&poly, &mac);
			assert_memory_equal(out, tag, sizeof(tag));
		}
	}
}

/* 4. Many packets of different lengths, so that lanes become idle and take another packet. */
static void test_lanes_refilled(void **state)
{
	enum { N = 3 * POLY_LANES + 5 }; /* at most AEAD_WINDOW */
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
		cmocka_unit_test_prestate(test_alone, b),
		cmocka_unit_test_prestate(test_lanes_refilled, b),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
