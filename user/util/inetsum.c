/* SPDX-License-Identifier: MIT */
/*
 * inetsum.c - see inetsum.h. 64-bit words are added as two 32-bit halves, each into 64-bit
 * accumulators, so that no carry is lost and the compiler can use vector instructions.
 *
 * The loop adds whole words and their high halves, because that takes fewer instructions than
 * adding both halves. The sum of the low halves is then
 *
 *     low = all - (high << 32)
 *
 * which is exact although "all" wraps around, because "low" itself is less than 2^64.
 */
#include "util/inetsum.h"

#include <string.h>

typedef uint64_t vec __attribute__((vector_size(16)));

#define LOW 0xffffffffULL
#define STEP (4 * sizeof(vec))

static inline vec load(const uint8_t *p)
{
	vec v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Sums the last bytes, which are fewer than STEP. The copies have constant sizes, so that the
 * compiled code has no calls of memcpy(). */
static inline uint64_t add_tail(const uint8_t *p, size_t n, uint64_t sum)
{
	uint64_t word;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&word, p, 8);
		sum += (word & LOW) + (word >> 32);
	}
	word = 0;
	if (n & 4) {
		memcpy(&word, p, 4);
		sum += word;
		p += 4;
		word = 0;
	}
	if (n & 2) {
		memcpy(&word, p, 2);
		sum += word;
		p += 2;
		word = 0;
	}
	if (n & 1) {
		memcpy(&word, p, 1);
		sum += word;
	}
	return sum;
}

#if defined(__x86_64__)

/* With fewer bytes than this, AVX2 registers are not faster. */
#define WIDE_MIN 256

typedef uint64_t wide __attribute__((vector_size(32)));

/* Sums as many bytes at *@p as fill whole registers. Advances *@p past these bytes, and subtracts
 * their number from *@n. */
__attribute__((target("avx2"))) static uint64_t add_wide(const uint8_t **p, size_t *n)
{
	const uint8_t *at = *p, *end = at + *n / sizeof(wide) * sizeof(wide);
	wide all = { 0 }, high = { 0 }, both, a, b, c, d;

	for (; end - at >= 4 * (ptrdiff_t)sizeof(wide); at += 4 * sizeof(wide)) {
		memcpy(&a, at, sizeof(wide));
		memcpy(&b, at + sizeof(wide), sizeof(wide));
		memcpy(&c, at + 2 * sizeof(wide), sizeof(wide));
		memcpy(&d, at + 3 * sizeof(wide), sizeof(wide));
		all += (a + b) + (c + d);
		high += ((a >> 32) + (b >> 32)) + ((c >> 32) + (d >> 32));
	}
	for (; at < end; at += sizeof(wide)) {
		memcpy(&a, at, sizeof(wide));
		all += a;
		high += a >> 32;
	}
	both = all - (high << 32) + high;
	*n -= (size_t)(end - *p);
	*p = end;
	return both[0] + both[1] + both[2] + both[3];
}

#endif

/* Returns the sum of the low and high halves of all words, over both lanes. */
static uint64_t total(vec all, vec high)
{
	vec low = all - (high << 32);

	return low[0] + low[1] + high[0] + high[1];
}

uint64_t inetsum_add(const void *data, size_t n, uint64_t sum)
{
	const uint8_t *p = data;
	vec all = { 0 }, high = { 0 };

#if defined(__x86_64__)
	if (n >= WIDE_MIN && __builtin_cpu_supports("avx2"))
		sum += add_wide(&p, &n);
#endif
	for (; n >= STEP; n -= STEP, p += STEP) {
		vec a = load(p), b = load(p + 16), c = load(p + 32), d = load(p + 48);

		all += a + b + c + d;
		high += (a >> 32) + (b >> 32) + (c >> 32) + (d >> 32);
	}
	return add_tail(p, n, sum + total(all, high));
}
