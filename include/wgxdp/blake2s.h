/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * blake2s.h - BLAKE2s (RFC 7693), unkeyed and keyed, digests of 1 to 32 bytes.
 * bpf/ uses only the compression and the midstate form; user/ uses all of it.
 *
 *   user/   blake2s_init or blake2s_init_key -> blake2s_update ... -> blake2s_final
 *
 *   XDP     The mac1 key fills the first block, which is the same for every message. user/
 *           compresses this block once, and XDP continues from that state ("midstate"). This saves
 *           a third of the work for an initiation and half for a response, and keeps the key
 *           itself out of the maps.
 *
 *             key || 0...   blake2s_midstate()      msg, multiple of 4 bytes
 *             ───────────────────▶ mid[8] ─ in a map ─▶ blake2s_from_midstate() ─▶ h[8]
 *
 * The rounds are written out with constant indices, so that the compiler keeps v[] and m[] in
 * registers and a few stack slots. The BPF verifier then has no variable stack offset to check.
 */
#ifndef WGXDP_BLAKE2S_H
#define WGXDP_BLAKE2S_H

#include <linux/types.h>

#define BLAKE2S_BLOCK_LEN 64
#define BLAKE2S_BLOCK_WORDS 16
#define BLAKE2S_HASH_LEN 32 /* the longest digest and the longest key */

#define BLAKE2S_INLINE static inline __attribute__((always_inline))

#define BLAKE2S_IV0 0x6a09e667U
#define BLAKE2S_IV1 0xbb67ae85U
#define BLAKE2S_IV2 0x3c6ef372U
#define BLAKE2S_IV3 0xa54ff53aU
#define BLAKE2S_IV4 0x510e527fU
#define BLAKE2S_IV5 0x9b05688cU
#define BLAKE2S_IV6 0x1f83d9abU
#define BLAKE2S_IV7 0x5be0cd19U

#define BLAKE2S_ROR(x, n) ((x) >> (n) | (x) << (32 - (n)))

/* RFC 7693 3.1 */
#define BLAKE2S_G(a, b, c, d, x, y)                                                                \
	do {                                                                                       \
		v[a] += v[b] + m[x];                                                               \
		v[d] = BLAKE2S_ROR(v[d] ^ v[a], 16);                                               \
		v[c] += v[d];                                                                      \
		v[b] = BLAKE2S_ROR(v[b] ^ v[c], 12);                                               \
		v[a] += v[b] + m[y];                                                               \
		v[d] = BLAKE2S_ROR(v[d] ^ v[a], 8);                                                \
		v[c] += v[d];                                                                      \
		v[b] = BLAKE2S_ROR(v[b] ^ v[c], 7);                                                \
	} while (0)

#define BLAKE2S_ROUND(s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15)        \
	do {                                                                                       \
		BLAKE2S_G(0, 4, 8, 12, s0, s1);                                                    \
		BLAKE2S_G(1, 5, 9, 13, s2, s3);                                                    \
		BLAKE2S_G(2, 6, 10, 14, s4, s5);                                                   \
		BLAKE2S_G(3, 7, 11, 15, s6, s7);                                                   \
		BLAKE2S_G(0, 5, 10, 15, s8, s9);                                                   \
		BLAKE2S_G(1, 6, 11, 12, s10, s11);                                                 \
		BLAKE2S_G(2, 7, 8, 13, s12, s13);                                                  \
		BLAKE2S_G(3, 4, 9, 14, s14, s15);                                                  \
	} while (0)

/* RFC 7693 3.2: compresses block @m into @h. @t: how many bytes were hashed up to the end of this
 * block, including the padding of a key block. @last: 1 for the last block of the input, else 0. */
/* NOLINTNEXTLINE(readability-function-size): ten rounds, written out on purpose */
BLAKE2S_INLINE void blake2s_compress(__u32 h[8], const __u32 m[BLAKE2S_BLOCK_WORDS], __u64 t,
				     int last)
{
	__u32 v[16];

	for (int i = 0; i < 8; i++)
		v[i] = h[i];
	v[8] = BLAKE2S_IV0;
	v[9] = BLAKE2S_IV1;
	v[10] = BLAKE2S_IV2;
	v[11] = BLAKE2S_IV3;
	v[12] = BLAKE2S_IV4 ^ (__u32)t;
	v[13] = BLAKE2S_IV5 ^ (__u32)(t >> 32);
	v[14] = last ? ~BLAKE2S_IV6 : BLAKE2S_IV6;
	v[15] = BLAKE2S_IV7;

	/* RFC 7693 2.7, SIGMA */
	BLAKE2S_ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	BLAKE2S_ROUND(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3);
	BLAKE2S_ROUND(11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4);
	BLAKE2S_ROUND(7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8);
	BLAKE2S_ROUND(9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13);
	BLAKE2S_ROUND(2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9);
	BLAKE2S_ROUND(12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11);
	BLAKE2S_ROUND(13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10);
	BLAKE2S_ROUND(6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5);
	BLAKE2S_ROUND(10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0);

	for (int i = 0; i < 8; i++)
		h[i] ^= v[i] ^ v[i + 8];
}

/* Returns the @i-th little-endian word at @p, which need not be aligned. */
BLAKE2S_INLINE __u32 blake2s_word(const void *p, __u32 i)
{
	__u32 w;

#ifdef __bpf__
	/* Do not use memcpy(), which would become four one-byte loads. The verifier allows
	 * unaligned loads from a packet on architectures where such loads are efficient. */
	w = ((const __u32 *)p)[i];
#else
	__builtin_memcpy(&w, (const __u8 *)p + 4 * i, 4);
#endif
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap32(w);
#endif
	return w;
}

/* Continues from @mid with the @len bytes at @msg, and writes the words of the digest to @h. On the
 * wire these words are little endian, see blake2s_word(). @len: a multiple of 4, at least 4. In BPF
 * @len is a constant, and the caller has checked the bounds of @msg. */
BLAKE2S_INLINE void blake2s_from_midstate(__u32 h[8], const __u32 mid[8], const void *msg,
					  __u32 len)
{
	__u32 words = len / 4, at = 0;
	__u32 m[BLAKE2S_BLOCK_WORDS];

	for (int i = 0; i < 8; i++)
		h[i] = mid[i];
#ifdef __bpf__
#pragma unroll
#endif
	for (; words - at > BLAKE2S_BLOCK_WORDS; at += BLAKE2S_BLOCK_WORDS) {
		for (int i = 0; i < BLAKE2S_BLOCK_WORDS; i++)
			m[i] = blake2s_word(msg, at + i);
		blake2s_compress(h, m, BLAKE2S_BLOCK_LEN + 4 * (at + BLAKE2S_BLOCK_WORDS), 0);
	}
#ifdef __bpf__
#pragma unroll
#endif
	for (__u32 i = 0; i < BLAKE2S_BLOCK_WORDS; i++)
		m[i] = at + i < words ? blake2s_word(msg, at + i) : 0;
	blake2s_compress(h, m, BLAKE2S_BLOCK_LEN + len, 1);
}

#ifndef __bpf__

#include <stddef.h>
#include <string.h>

/* The state of a hash. The state holds parts of the key and the message, and the digest after
 * blake2s_final(). A caller with a secret key, message or digest wipes the state after use. */
struct blake2s {
	__u32 h[8];
	__u64 t;    /* bytes compressed */
	__u32 used; /* bytes in block[] */
	__u32 out_len;
	__u8 block[BLAKE2S_BLOCK_LEN];
};

/* Compresses block[], which must be full. @last as for blake2s_compress(). */
static inline void blake2s_flush(struct blake2s *s, int last)
{
	__u32 m[BLAKE2S_BLOCK_WORDS];

	for (__u32 i = 0; i < BLAKE2S_BLOCK_WORDS; i++)
		m[i] = blake2s_word(s->block, i);
	blake2s_compress(s->h, m, s->t, last);
}

/* Appends @len bytes to the input. @data may be NULL if @len is 0. */
static inline void blake2s_update(struct blake2s *s, const void *data, size_t len)
{
	const __u8 *p = data;

	while (len) {
		size_t n = BLAKE2S_BLOCK_LEN - s->used;

		/* The last block must be compressed with the flag @last, so compress a full block
		 * only when more input follows. */
		if (n == 0) {
			s->t += BLAKE2S_BLOCK_LEN;
			blake2s_flush(s, 0);
			s->used = 0;
			n = BLAKE2S_BLOCK_LEN;
		}
		if (n > len)
			n = len;
		memcpy(s->block + s->used, p, n);
		s->used += n;
		p += n;
		len -= n;
	}
}

/* Begins a keyed hash. @out_len: 1..32. @key_len: 0..32; 0 means no key. */
static inline void blake2s_init_key(struct blake2s *s, size_t out_len, const void *key,
				    size_t key_len)
{
	const __u32 iv[8] = { BLAKE2S_IV0, BLAKE2S_IV1, BLAKE2S_IV2, BLAKE2S_IV3,
			      BLAKE2S_IV4, BLAKE2S_IV5, BLAKE2S_IV6, BLAKE2S_IV7 };

	memset(s, 0, sizeof(*s));
	memcpy(s->h, iv, sizeof(iv));
	s->h[0] ^= 0x01010000U ^ (__u32)key_len << 8 ^ (__u32)out_len;
	s->out_len = (__u32)out_len;
	if (key_len) {
		memcpy(s->block, key, key_len);
		s->used = BLAKE2S_BLOCK_LEN;
	}
}

static inline void blake2s_init(struct blake2s *s, size_t out_len)
{
	blake2s_init_key(s, out_len, NULL, 0);
}

/* Writes the digest of out_len bytes to @out. Afterwards s->h holds the digest as well. */
static inline void blake2s_final(struct blake2s *s, void *out)
{
	s->t += s->used;
	memset(s->block + s->used, 0, BLAKE2S_BLOCK_LEN - s->used);
	blake2s_flush(s, 1);
	for (__u32 i = 0; i < s->out_len; i++)
		((__u8 *)out)[i] = (__u8)(s->h[i / 4] >> 8 * (i % 4));
}

/* Writes to @mid, for blake2s_from_midstate(), the state that a keyed hash has after its key block.
 * @out_len: 1..32. @key_len: 1..32. */
static inline void blake2s_midstate(__u32 mid[8], size_t out_len, const void *key, size_t key_len)
{
	struct blake2s s;

	blake2s_init_key(&s, out_len, key, key_len);
	s.t = BLAKE2S_BLOCK_LEN;
	blake2s_flush(&s, 0);
	memcpy(mid, s.h, sizeof(s.h));
}

#endif /* !__bpf__ */
#endif
