/* SPDX-License-Identifier: MIT */
/*
 * inetsum.h - the Internet checksum, RFC 1071: one's complement sums over 16-bit words.
 *
 * Words are summed as they lie in memory. Such a sum is the same in either byte order, so a folded
 * sum is stored to memory without swapping, and 16-bit host values must be converted by htons()
 * before they are added.
 */
#ifndef WGXDP_INETSUM_H
#define WGXDP_INETSUM_H

#include <stddef.h>
#include <stdint.h>

/* Returns @sum plus the sum of @n bytes at @p. If @n is odd, a zero byte follows; only the last
 * piece of a message may be odd. Sums of up to 2^24 words fit without folding. */
uint64_t inetsum_add(const void *p, size_t n, uint64_t sum);

/* Folds a sum to 16 bits. */
static inline uint16_t inetsum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

#endif
