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

/* Returns the sum of the halves of the words in both lanes. */
static uint64_t total(vec all, vec high)
{
	vec low = all - (high << 32);

	return low[0] + low[1] + high[0] + high[1];
}

uint64_t inetsum_add(const void *data, size_t n, uint64_t sum)
{
	const uint8_t *p = data;
	vec all = { 0 }, high = { 0 };

	for (; n >= STEP; n -= STEP, p += STEP) {
		vec a = load(p), b = load(p + 16), c = load(p + 32), d = load(p + 48);

		all += a + b + c + d;
		high += (a >> 32) + (b >> 32) + (c >> 32) + (d >> 32);
	}
	return add_tail(p, n, sum + total(all, high));
}
