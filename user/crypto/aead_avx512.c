/* SPDX-License-Identifier: MIT */
/*
 * aead_avx512.c - the AEAD in 512-bit registers: 16 ChaCha20 blocks or 8 Poly1305 packets at a
 * time.
 *
 * Compared with aead_avx2.c the registers are twice as wide, there are twice as many of them, and
 * one instruction rotates by any number of bits.
 */
#if defined(__x86_64__)

#include <immintrin.h>
#include <stdalign.h>
#include <stdbool.h>
#include <string.h>

#include "crypto/aead_backends.h"
#include "crypto/aead_poly_scalar.h"
#include "crypto/ct.h"
#include "crypto/wipe.h"

/* The compiler must unroll the short loops over words and limbs, because only then do the arrays
 * live in registers. clang unrolls them at -O2, gcc only at -O3. */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl")
#pragma GCC optimize("O3", "no-tree-loop-vectorize", "no-tree-ter")
#endif

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

/* Rotate the four words of each 128 bits to the left by one, two or three words. */
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

/* vzeroall clears only the lower sixteen registers. */
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

#include "crypto/aead_lanes_batch.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

static bool usable(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
}

const struct aead_backend aead_avx512 = {
	.name = "avx512",
	.usable = usable,
	.seal_batch = seal_batch,
	.open_batch = open_batch,
};

#endif
