/* SPDX-License-Identifier: MIT */
/*
 * inetsum.c - see inetsum.h. 64-bit words are added as two 32-bit halves, each into 64-bit
 * accumulators, so that no carry is lost and the compiler can use vector instructions.
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

/* Sums @n bytes, one to eight, and copies them if @to is not NULL. The sizes are constants, so that
 * no function is called. */
static inline uint64_t add_word(uint8_t *to, const uint8_t *p, size_t n)
{
	uint64_t word = 0;

	memcpy(&word, p, n);
	if (to)
		memcpy(to, p, n);
	return (word & LOW) + (word >> 32);
}

/* Sums the last bytes, fewer than STEP, and copies them if @to is not NULL. */
static inline uint64_t add_tail(uint8_t *to, const uint8_t *p, size_t n, uint64_t sum)
{
	size_t at = 0;

	for (; n - at >= 8; at += 8)
		sum += add_word(to ? to + at : NULL, p + at, 8);
	if (n & 4) {
		sum += add_word(to ? to + at : NULL, p + at, 4);
		at += 4;
	}
	if (n & 2) {
		sum += add_word(to ? to + at : NULL, p + at, 2);
		at += 2;
	}
	if (n & 1)
		sum += add_word(to ? to + at : NULL, p + at, 1);
	return sum;
}

static uint64_t total(vec low, vec high, uint64_t sum)
{
	return sum + low[0] + low[1] + high[0] + high[1];
}

uint64_t inetsum_add(const void *data, size_t n, uint64_t sum)
{
	const uint8_t *p = data;
	vec low = { 0 }, high = { 0 };

	for (; n >= STEP; n -= STEP, p += STEP) {
		vec a = load(p), b = load(p + 16), c = load(p + 32), d = load(p + 48);

		low += (a & LOW) + (b & LOW) + (c & LOW) + (d & LOW);
		high += (a >> 32) + (b >> 32) + (c >> 32) + (d >> 32);
	}
	return add_tail(NULL, p, n, total(low, high, sum));
}

uint64_t inetsum_copy(void *target, const void *from, size_t n, uint64_t sum)
{
	const uint8_t *p = from;
	uint8_t *to = target;
	vec low = { 0 }, high = { 0 };

	for (; n >= STEP; n -= STEP, p += STEP, to += STEP) {
		vec a = load(p), b = load(p + 16), c = load(p + 32), d = load(p + 48);

		memcpy(to, &a, sizeof(a));
		memcpy(to + 16, &b, sizeof(b));
		memcpy(to + 32, &c, sizeof(c));
		memcpy(to + 48, &d, sizeof(d));
		low += (a & LOW) + (b & LOW) + (c & LOW) + (d & LOW);
		high += (a >> 32) + (b >> 32) + (c >> 32) + (d >> 32);
	}
	return add_tail(to, p, n, total(low, high, sum));
}
