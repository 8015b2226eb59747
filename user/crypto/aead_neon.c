/* SPDX-License-Identifier: MIT */
/*
 * aead_neon.c - the AEAD in the 128-bit registers of arm64: 4 ChaCha20 blocks or 2 Poly1305 packets
 * at a time.
 *
 * This file holds the operations that differ between register widths. The algorithms are in
 * aead_lanes_*.h, which the backends for x86-64 also compile, for their own widths. docs/aead.md
 * draws the lanes. The backend is compiled only for little-endian arm64, because all Linux
 * distributions for arm64 are little-endian.
 */
#if defined(__aarch64__) && defined(__AARCH64EL__)

#include <arm_neon.h>
#include <stdalign.h>
#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>

#include <asm/hwcap.h>

#include "crypto/aead_backends.h"
#include "crypto/aead_poly_scalar.h"
#include "crypto/ct.h"
#include "crypto/wipe.h"

/* The compiler must unroll the short loops over words and limbs, because only then do the arrays
 * live in registers. clang unrolls them at -O2, gcc only at -O3. */
#if !defined(__clang__)
#pragma GCC push_options
#pragma GCC optimize("O3", "no-tree-loop-vectorize", "no-tree-ter")
#endif

#define LANES 4
#define INLINE inline __attribute__((always_inline))

typedef uint32_t v32 __attribute__((vector_size(4 * LANES)));
typedef uint64_t v64 __attribute__((vector_size(4 * LANES)));

/* Multiplies the low 32 bits of each 64-bit lane. */
static INLINE v64 mul32(v64 a, v64 b)
{
	return (v64)vmull_u32(vmovn_u64((uint64x2_t)a), vmovn_u64((uint64x2_t)b));
}

/* A rotation by 16 bits swaps the halves of each word. A rotation by 8 bits is a table lookup with
 * constant indices. */
static INLINE v32 rotl16(v32 x)
{
	return (v32)vrev32q_u16((uint16x8_t)x);
}

static INLINE v32 rotl8(v32 x)
{
	static const uint8_t order[16] = { 3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14 };

	return (v32)vqtbl1q_u8((uint8x16_t)x, vld1q_u8(order));
}

/* Two instructions: shift left, and insert the bits that were shifted out. */
static INLINE v32 rotl12(v32 x)
{
	return (v32)vsriq_n_u32(vshlq_n_u32((uint32x4_t)x, 12), (uint32x4_t)x, 20);
}

static INLINE v32 rotl7(v32 x)
{
	return (v32)vsriq_n_u32(vshlq_n_u32((uint32x4_t)x, 7), (uint32x4_t)x, 25);
}

/* Rotate the four words to the left by one, two or three words. */
static INLINE v32 turn1(v32 x)
{
	return (v32)vextq_u32((uint32x4_t)x, (uint32x4_t)x, 1);
}

static INLINE v32 turn2(v32 x)
{
	return (v32)vextq_u32((uint32x4_t)x, (uint32x4_t)x, 2);
}

static INLINE v32 turn3(v32 x)
{
	return (v32)vextq_u32((uint32x4_t)x, (uint32x4_t)x, 3);
}

/* Clears the vector registers. A function must preserve the low halves of v8 to v15 for its caller.
 * The list of clobbered registers makes the compiler save and restore these halves. */
static INLINE void clear_registers(void)
{
	__asm__ volatile(".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, "
			 "16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31\n\t"
			 "movi v\\n\\().2d, #0\n\t"
			 ".endr"
			 :
			 :
			 : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11",
			   "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21",
			   "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
}

/* Transposes a 4 x 4 matrix of 32-bit words. */
static INLINE void transpose4(v32 r[4])
{
	uint64x2_t t[4];

	for (int i = 0; i < 4; i += 2) {
		t[i] = (uint64x2_t)vtrn1q_u32((uint32x4_t)r[i], (uint32x4_t)r[i + 1]);
		t[i + 1] = (uint64x2_t)vtrn2q_u32((uint32x4_t)r[i], (uint32x4_t)r[i + 1]);
	}
	for (int i = 0; i < 2; i++) {
		r[i] = (v32)vtrn1q_u64(t[i], t[i + 2]);
		r[i + 2] = (v32)vtrn2q_u64(t[i], t[i + 2]);
	}
}

static INLINE v32 load_words(const uint8_t *p)
{
	return (v32)vld1q_u8(p);
}

static INLINE void write_words(uint8_t *dst, const uint8_t *src, v32 stream)
{
	vst1q_u8(dst, veorq_u8(vld1q_u8(src), (uint8x16_t)stream));
}

#include "crypto/aead_lanes_128.h"

/* Loads one 16-byte block at @offset from each address in @at: the low 64 bits into @low, the high
 * 64 bits into @high. */
static INLINE void load1(v64 *low, v64 *high, const uint8_t *const at[LANES / 2], size_t offset)
{
	uint64x2_t a = (uint64x2_t)vld1q_u8(at[0] + offset);
	uint64x2_t b = (uint64x2_t)vld1q_u8(at[1] + offset);

	*low = (v64)vtrn1q_u64(a, b);
	*high = (v64)vtrn2q_u64(a, b);
}

/* Loads two 16-byte blocks at @offset from each address in @at: the first blocks into low[0] and
 * high[0], the second blocks into low[1] and high[1]. */
static INLINE void load2(v64 low[2], v64 high[2], const uint8_t *const at[LANES / 2], size_t offset)
{
	load1(&low[0], &high[0], at, offset);
	load1(&low[1], &high[1], at, offset + POLY_BLOCK_LEN);
}

#include "crypto/aead_lanes_chacha.h"
#include "crypto/aead_lanes_poly.h"

#include "crypto/aead_lanes_batch.h"

#if !defined(__clang__)
#pragma GCC pop_options
#endif

static bool usable(void)
{
	return getauxval(AT_HWCAP) & HWCAP_ASIMD;
}

const struct aead_backend aead_neon = {
	.name = "neon",
	.usable = usable,
	.seal_batch = seal_batch,
	.open_batch = open_batch,
};

#endif
