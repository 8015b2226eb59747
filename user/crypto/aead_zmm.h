/* SPDX-License-Identifier: MIT */
/*
 * aead_zmm.h - the operations on 512-bit registers that aead_lanes_*.h use. Only the three
 * backends with AVX-512 include this file.
 *
 * Compared with AVX2 the registers are twice as wide, there are twice as many of them, and one
 * instruction rotates by any number of bits.
 */
#ifndef WGXDP_AEAD_ZMM_H
#define WGXDP_AEAD_ZMM_H

#define LANES 16
#define INLINE inline __attribute__((always_inline))

typedef uint32_t v32 __attribute__((vector_size(4 * LANES)));
typedef uint64_t v64 __attribute__((vector_size(4 * LANES)));

/* Multiplies the low 32 bits of each 64-bit lane. */
static INLINE v64 mul32(v64 a, v64 b)
{
	return (v64)_mm512_mul_epu32((__m512i)a, (__m512i)b);
}

static INLINE v32 rotl16(v32 x)
{
	return (v32)_mm512_rol_epi32((__m512i)x, 16);
}

static INLINE v32 rotl8(v32 x)
{
	return (v32)_mm512_rol_epi32((__m512i)x, 8);
}

/* Rotate the four words of each 128-bit part to the left by one, two or three words. */
static INLINE v32 turn1(v32 x)
{
	return (v32)_mm512_shuffle_epi32((__m512i)x, (_MM_PERM_ENUM)0x39);
}

static INLINE v32 turn2(v32 x)
{
	return (v32)_mm512_shuffle_epi32((__m512i)x, (_MM_PERM_ENUM)0x4e);
}

static INLINE v32 turn3(v32 x)
{
	return (v32)_mm512_shuffle_epi32((__m512i)x, (_MM_PERM_ENUM)0x93);
}

/* Clears all vector and mask registers. vzeroall clears only the first sixteen vector registers. */
static INLINE void clear_registers(void)
{
	__asm__ volatile("vpxorq %%zmm16, %%zmm16, %%zmm16\n\tvpxorq %%zmm17, %%zmm17, %%zmm17\n\t"
			 "vpxorq %%zmm18, %%zmm18, %%zmm18\n\tvpxorq %%zmm19, %%zmm19, %%zmm19\n\t"
			 "vpxorq %%zmm20, %%zmm20, %%zmm20\n\tvpxorq %%zmm21, %%zmm21, %%zmm21\n\t"
			 "vpxorq %%zmm22, %%zmm22, %%zmm22\n\tvpxorq %%zmm23, %%zmm23, %%zmm23\n\t"
			 "vpxorq %%zmm24, %%zmm24, %%zmm24\n\tvpxorq %%zmm25, %%zmm25, %%zmm25\n\t"
			 "vpxorq %%zmm26, %%zmm26, %%zmm26\n\tvpxorq %%zmm27, %%zmm27, %%zmm27\n\t"
			 "vpxorq %%zmm28, %%zmm28, %%zmm28\n\tvpxorq %%zmm29, %%zmm29, %%zmm29\n\t"
			 "vpxorq %%zmm30, %%zmm30, %%zmm30\n\tvpxorq %%zmm31, %%zmm31, %%zmm31"
			 :
			 :
			 : "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23",
			   "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31");
	__asm__ volatile("kxorw %%k0, %%k0, %%k0\n\tkxorw %%k1, %%k1, %%k1\n\t"
			 "kxorw %%k2, %%k2, %%k2\n\tkxorw %%k3, %%k3, %%k3\n\t"
			 "kxorw %%k4, %%k4, %%k4\n\tkxorw %%k5, %%k5, %%k5\n\t"
			 "kxorw %%k6, %%k6, %%k6\n\tkxorw %%k7, %%k7, %%k7"
			 :
			 :
			 : "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7");
	_mm256_zeroall();
}

/* Makes a register from its two 256-bit parts. */
static INLINE v32 join(const __m256i part[static LANES / 8])
{
	return (v32)_mm512_inserti64x4(_mm512_castsi256_si512(part[0]), part[1], 1);
}

static INLINE __m256i part(v32 x, int i)
{
	return i == 0 ? _mm512_castsi512_si256((__m512i)x)
		      : _mm512_extracti64x4_epi64((__m512i)x, 1);
}

/* Transposes two 8 x 8 matrices of 32-bit words, one in the lower halves and one in the upper
 * halves of the registers. On entry the lower half of r[i] is row i, and the upper half is
 * row i + 8. Word w of row i becomes lane i of r[w]. */
static INLINE void transpose_halves(__m512i r[8])
{
	const __m512i low = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
	const __m512i high = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
	__m512i t[8], u[8];

	for (int i = 0; i < 8; i += 2) {
		t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
		t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
	}
	for (int i = 0; i < 8; i += 4) {
		u[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
		u[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
		u[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
		u[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
	}
	for (int i = 0; i < 4; i++) {
		r[i] = _mm512_permutex2var_epi64(u[i], low, u[i + 4]);
		r[i + 4] = _mm512_permutex2var_epi64(u[i], high, u[i + 4]);
	}
}

/* Loads the keys of all lanes: @x[i] gets word i of each key. Often all lanes have the same key,
 * whose words are then copied to all lanes without a transposition. */
static INLINE void load_keys(v32 x[8], const uint8_t *const *key)
{
	const __m512i first = _mm512_set1_epi64((long long)(uintptr_t)key[0]);
	__m512i r[8];

	if (_mm512_cmpneq_epi64_mask(first, _mm512_loadu_si512(key)) ||
	    _mm512_cmpneq_epi64_mask(first, _mm512_loadu_si512(key + 8))) {
		for (int i = 0; i < 8; i++) {
			__m256i lower = _mm256_loadu_si256((const __m256i *)key[i]);
			__m256i upper = _mm256_loadu_si256((const __m256i *)key[i + 8]);

			r[i] = _mm512_inserti64x4(_mm512_castsi256_si512(lower), upper, 1);
		}
		transpose_halves(r);
	} else {
		for (int i = 0; i < 8; i++) {
			int word;

			memcpy(&word, key[0] + 4 * i, sizeof(word));
			r[i] = _mm512_set1_epi32(word);
		}
	}
	for (int i = 0; i < 8; i++)
		x[i] = (v32)r[i];
}

/* Transposes a 16 x 16 matrix of 32-bit words. */
static INLINE void transpose16(__m512i r[16])
{
	__m512i t[16];

	for (int i = 0; i < 16; i += 2) {
		t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
		t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
	}
	for (int i = 0; i < 16; i += 4) {
		r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
		r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
		r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
		r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
	}
	/* Quarter p of r[4 q + i] now holds words 4 q to 4 q + 3 of lane 4 p + i. */
	for (int i = 0; i < 4; i++) {
		t[i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0x88);
		t[4 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0x88);
		t[8 + i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0xdd);
		t[12 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0xdd);
	}
	for (int i = 0; i < 4; i++) {
		r[i] = _mm512_shuffle_i32x4(t[i], t[4 + i], 0x88);
		r[4 + i] = _mm512_shuffle_i32x4(t[8 + i], t[12 + i], 0x88);
		r[8 + i] = _mm512_shuffle_i32x4(t[i], t[4 + i], 0xdd);
		r[12 + i] = _mm512_shuffle_i32x4(t[8 + i], t[12 + i], 0xdd);
	}
}

/* Writes the output of all lanes: 64 bytes at dst[l] := 64 bytes at src[l] ^ lane l of @x. */
static INLINE void write_lanes(uint8_t *const *dst, const uint8_t *const *src, const v32 x[16])
{
	__m512i r[16];

	for (int i = 0; i < 16; i++)
		r[i] = (__m512i)x[i];
	transpose16(r);
	for (int i = 0; i < 16; i++)
		_mm512_storeu_si512(dst[i], _mm512_xor_si512(r[i], _mm512_loadu_si512(src[i])));
}

#endif
