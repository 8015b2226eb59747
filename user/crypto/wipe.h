/* SPDX-License-Identifier: MIT */
/*
 * wipe.h - zeroes and compares secrets in ways that the compiler cannot optimise away.
 * util/secure.h keeps the memory of the whole process out of swap and core files.
 */
#ifndef WGXDP_WIPE_H
#define WGXDP_WIPE_H

#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>

/* Zeroes @n bytes at @p, even if the compiler sees that nothing reads them afterwards. */
static inline void wipe(void *p, size_t n)
{
	sodium_memzero(p, n);
}

/* Returns true if the @n bytes are equal. The running time depends only on @n. */
static inline bool equal_ct(const void *a, const void *b, size_t n)
{
	return sodium_memcmp(a, b, n) == 0;
}

/* Returns true if all @n bytes are zero. The running time depends only on @n. */
static inline bool is_zero_ct(const void *p, size_t n)
{
	return sodium_is_zero(p, n) == 1;
}

#endif
