/* SPDX-License-Identifier: MIT */
/*
 * aead.h - ChaCha20-Poly1305 (RFC 8439) over batches of packets: the contract of every backend.
 *
 * A job is one packet. A batch is any number of jobs with any mix of keys and lengths. A backend
 * can compute several packets of a batch side by side. Jobs have no associated data, because
 * WireGuard's data messages have none ([W] 5.4.6). The nonce is four zero bytes, followed by the
 * counter in little endian.
 *
 *              seal:  src[0..len)           ->  dst[0..len) ciphertext, dst[len..len+16) tag
 *              open:  src[0..len) ciphertext,
 *                     src[len..len+16) tag  ->  dst[0..len) plaintext
 *
 * Sealing copies and encrypts in one pass, and the plaintext may come in pieces. So a worker can
 * seal segments of a TUN read buffer straight into outgoing messages. The worker writes the headers
 * of each segment to dst (the head), and need not write the padding:
 *
 *      dst[0..head_len) | src[0..len - head_len - pad_len) | pad_len zeros  ->  dst[0..len), tag
 *
 * Either src and dst are the same address (in place), or they do not overlap. A job with a head
 * must not be in place. Different jobs of a batch may share a key, but their buffers must not
 * overlap. Buffers need no alignment. No byte outside the ranges above is read or written, so the
 * buffers need no extra room. Sealing is fastest if head_len is a multiple of 64.
 *
 * The running time does not depend on keys or contents. It does depend on the lengths, on the
 * number of jobs, on which jobs share a key and on whether each tag was right. All this is public.
 */
#ifndef WGXDP_AEAD_H
#define WGXDP_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AEAD_KEY_LEN 32
#define AEAD_TAG_LEN 16
#define AEAD_LEN_MAX ((1U << 30) - 1) /* 2^24 blocks, so the 32-bit block counter cannot wrap */

struct aead_job {
	const uint8_t *key; /* AEAD_KEY_LEN bytes; borrowed until the call returns */
	uint64_t counter;   /* host order; never the same twice for one key when sealing */
	const uint8_t *src;
	uint8_t *dst;
	uint32_t len; /* bytes of plaintext, without the tag; 0..AEAD_LEN_MAX */
	bool ok;      /* set by opening: the tag was right, and dst holds the plaintext */
	/* Sealing only: the plaintext before and after the bytes at src; 0 = none. Opening needs
	 * 0 in both. */
	uint32_t head_len; /* bytes at the start, which lie at dst */
	uint32_t pad_len;  /* zero bytes at the end, which are not read from src */
};

struct aead_backend {
	const char *name;
	/* Returns true if this CPU can run the backend. Any thread may call it. */
	bool (*usable)(void);
	/* Returns true if, on this CPU, the backend slows all other code on the core so much that
	 * the program as a whole is faster with another backend. NULL if no CPU is slowed. Any
	 * thread may call it. */
	bool (*slows_core)(void);
	void (*seal_batch)(struct aead_job *jobs, size_t n);
	void (*open_batch)(struct aead_job *jobs, size_t n);
};

/* Chooses the backend for the process: the one called @name or, if @name is NULL or "auto", the
 * fastest one that this CPU runs. A backend must pass a known-answer test before it is chosen.
 * "auto" skips a backend that fails the test, and measures the others except libsodium (about 6 ms
 * in all).
 * @failed: may be NULL; *@failed is set to the name of the first backend that failed its test, or
 * to NULL if none did.
 * Returns 0, -ENOENT (no backend has that name), -ENOTSUP (this CPU cannot run the backend) or
 * -EIO (the backend failed its test). On error the backend does not change; before the first call
 * it is "libsodium". Call before other threads use this module. */
int aead_select(const char *name, const char **failed);

/* Returns the name of the backend in use; static storage. Any thread may call it. */
const char *aead_name(void);

/* Returns backend @i of those in this build, or NULL after the last. Backend 0 is usually
 * the fastest. For tests and benchmarks. */
const struct aead_backend *aead_backend(size_t i);

/* Returns true if @b seals and opens the test packets correctly and refuses altered ones. */
bool aead_selftest(const struct aead_backend *b);

/* Seals @n jobs; cannot fail. Any thread may call it. RFC 8439 2.8. */
void aead_seal_batch(struct aead_job *jobs, size_t n);

/* Opens @n jobs and sets the ok of each job. dst[0..len) of a job that is not ok is zeroed.
 * Returns how many jobs are ok. Any thread may call it. RFC 8439 2.8. */
size_t aead_open_batch(struct aead_job *jobs, size_t n);

/* Seals one part of a handshake message ([W] 5.4) with associated data.
 * @dst: has room for @len + AEAD_TAG_LEN bytes. @counter: host order, never the same twice for one
 * key. Any thread may call it. */
void aead_seal_ad(uint8_t *dst, const uint8_t *src, size_t len, const uint8_t *ad, size_t ad_len,
		  uint64_t counter, const uint8_t key[static AEAD_KEY_LEN]);

/* Opens @len bytes at @src, which include the tag, and writes @len - AEAD_TAG_LEN bytes to @dst.
 * Returns false if the tag is wrong (@dst is then zeroed) or if @len is less than AEAD_TAG_LEN
 * (@dst is then untouched). Any thread may call it. */
bool aead_open_ad(uint8_t *dst, const uint8_t *src, size_t len, const uint8_t *ad, size_t ad_len,
		  uint64_t counter, const uint8_t key[static AEAD_KEY_LEN])
	__attribute__((warn_unused_result));

/* XChaCha20-Poly1305 for cookie replies ([W] 5.4.7). Apart from the 24-byte @nonce these two
 * functions behave like aead_seal_ad() and aead_open_ad(). */
void aead_xseal(uint8_t *dst, const uint8_t *src, size_t len, const uint8_t *ad, size_t ad_len,
		const uint8_t nonce[static 24], const uint8_t key[static AEAD_KEY_LEN]);
bool aead_xopen(uint8_t *dst, const uint8_t *src, size_t len, const uint8_t *ad, size_t ad_len,
		const uint8_t nonce[static 24], const uint8_t key[static AEAD_KEY_LEN])
	__attribute__((warn_unused_result));

#endif
