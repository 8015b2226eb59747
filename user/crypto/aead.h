/* SPDX-License-Identifier: MIT */
/*
 * aead.h - ChaCha20-Poly1305 (RFC 8439) over batches of packets: the contract of every backend.
 *
 * A job is one packet. A batch is any number of jobs with any mix of keys and lengths; a backend
 * may compute many of them side by side. There is no associated data: WireGuard's data messages
 * have none ([W] 5.4.6). The nonce is four zero bytes, then the counter in little endian.
 *
 *              seal:  src[0..len)           ->  dst[0..len) ciphertext, dst[len..len+16) tag
 *              open:  src[0..len) ciphertext,
 *                     src[len..len+16) tag  ->  dst[0..len) plaintext
 *
 * src and dst are either the same address (in place) or do not overlap at all; the same holds
 * between the jobs of one batch, except that several jobs may share a key. No alignment is asked
 * for, no byte outside the ranges above is read or written, and no byte of headroom or tailroom
 * beyond the tag is needed.
 *
 * Constant time in keys, counters' secrets and contents; not in lengths, the number of jobs, or
 * the verdict, which are public.
 */
#ifndef WGXDP_AEAD_H
#define WGXDP_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AEAD_KEY_LEN 32
#define AEAD_TAG_LEN 16
#define AEAD_LEN_MAX ((1U << 30) - 1) /* keeps every 32-bit block counter from wrapping */

struct aead_job {
	const uint8_t *key; /* AEAD_KEY_LEN bytes; borrowed until the call returns */
	uint64_t counter;   /* host order; never twice under one key when sealing */
	const uint8_t *src;
	uint8_t *dst;
	uint32_t len; /* of the plaintext, bytes, 0..AEAD_LEN_MAX; the tag is not counted */
	bool ok;      /* out, open only: the tag was right and dst holds the plaintext */
};

struct aead_backend {
	const char *name;
	/* Can this CPU run it? Any thread; no side effects. */
	bool (*usable)(void);
	void (*seal_batch)(struct aead_job *jobs, size_t n);
	void (*open_batch)(struct aead_job *jobs, size_t n);
};

/* Chooses the backend for the process: the one called @name, or the best usable one for NULL or
 * "auto". Every candidate must pass a known-answer test first; one that fails is passed over and
 * *@failed, if @failed is not NULL, names it (else it is set to NULL).
 * Returns 0, -ENOENT (no backend of that name), -ENOTSUP (it does not run on this CPU) or -EIO
 * (it fails its test). Until the first call the reference backend "libsodium" is in force.
 * Call before other threads use this module. */
int aead_select(const char *name, const char **failed);

/* Name of the backend in force; static storage. Any thread. */
const char *aead_name(void);

/* The i-th backend compiled in, best first, or NULL past the last. For tests and benchmarks. */
const struct aead_backend *aead_backend(size_t i);

/* True when @b gives the known answers, sealing and opening, and refuses what was altered. */
bool aead_selftest(const struct aead_backend *b);

/* Seals @n jobs; cannot fail. Any thread. RFC 8439 2.8. */
void aead_seal_batch(struct aead_job *jobs, size_t n);

/* Opens @n jobs and sets each job's ok; where it is false dst[0..len) has been wiped.
 * Returns how many are ok. Any thread. RFC 8439 2.8. */
size_t aead_open_batch(struct aead_job *jobs, size_t n);

/* For handshakes ([W] 5.4): one message with associated data, key and counter 0 or any.
 * @dst has room for @len + 16. Any thread. */
void aead_seal_ad(uint8_t *dst, const uint8_t *src, size_t len, const uint8_t *ad, size_t ad_len,
		  uint64_t counter, const uint8_t key[static AEAD_KEY_LEN]);

/* Opens @src of @len bytes, tag included, to @len - 16 bytes at @dst.
 * Returns false, with dst wiped, when the tag is wrong or len < 16. Any thread. */
bool aead_open_ad(uint8_t *dst, const uint8_t *src, size_t len, const uint8_t *ad, size_t ad_len,
		  uint64_t counter, const uint8_t key[static AEAD_KEY_LEN])
	__attribute__((warn_unused_result));

/* XChaCha20-Poly1305 for cookie replies, [W] 5.4.7; 24-byte @nonce. As above otherwise. */
void aead_xseal(uint8_t *dst, const uint8_t *src, size_t len, const uint8_t *ad, size_t ad_len,
		const uint8_t nonce[static 24], const uint8_t key[static AEAD_KEY_LEN]);
bool aead_xopen(uint8_t *dst, const uint8_t *src, size_t len, const uint8_t *ad, size_t ad_len,
		const uint8_t nonce[static 24], const uint8_t key[static AEAD_KEY_LEN])
	__attribute__((warn_unused_result));

#endif
