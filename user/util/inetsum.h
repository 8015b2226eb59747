/* SPDX-License-Identifier: MIT */
/*
 * inetsum.h - the Internet checksum, RFC 1071: one's complement sums over 16-bit words.
 *
 * Words are summed as they are in memory, whatever the byte order of the host. So a folded sum is
 * stored without swapping, and a 16-bit integer in host order must be converted by htons() before
 * it is added.
 */
#ifndef WGXDP_INETSUM_H
#define WGXDP_INETSUM_H

#include <stddef.h>
#include <stdint.h>

/* Returns @sum plus the sum of @n bytes at @p. If @n is odd, a zero byte is appended, so only the
 * last piece of a message may have an odd length. Up to 2^24 words can be summed before the sum
 * must be folded. */
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
