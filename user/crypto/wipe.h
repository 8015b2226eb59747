/* SPDX-License-Identifier: MIT */
/*
 * wipe.h - the handling of secrets that must not be left to the optimiser.
 * Memory itself is kept from swap and core files process-wide: util/secure.h.
 */
#ifndef WGXDP_WIPE_H
#define WGXDP_WIPE_H

#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>

/* Overwrites @n bytes, whatever the compiler thinks of it. */
static inline void wipe(void *p, size_t n)
{
	sodium_memzero(p, n);
}

/* True if the @n bytes are equal; the time depends on n only. */
static inline bool equal_ct(const void *a, const void *b, size_t n)
{
	return sodium_memcmp(a, b, n) == 0;
}

/* True if all @n bytes are zero; the time depends on n only. */
static inline bool is_zero_ct(const void *p, size_t n)
{
	return sodium_is_zero(p, n) == 1;
}

#endif
