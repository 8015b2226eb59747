/* SPDX-License-Identifier: MIT */
/*
 * prefix.h - an IPv4 or IPv6 prefix: a plain value that is copied and compared, and owns no memory.
 *
 *   10.1.0.0/16    family AF_INET, length 16, addr 0a 01 00 00, then twelve zero bytes
 *                                                  \___/ \___/
 *                                               network   host bits
 *
 * conf/valuetext.h parses prefixes from text. Any thread may call these functions.
 */
#ifndef WGXDP_PREFIX_H
#define WGXDP_PREFIX_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct prefix {
	uint8_t family;	  /* AF_INET or AF_INET6 */
	uint8_t length;	  /* in bits: 0..32 or 0..128 */
	uint8_t addr[16]; /* network order; an IPv4 address fills the first four bytes */
};

#define PREFIX_TEXT_LEN (INET6_ADDRSTRLEN + 4) /* "address/128" and its NUL */

/* Returns true if the family is known and the length fits it. */
bool prefix_valid(const struct prefix *p);

/* Clears the host bits of @p, which must be valid. Returns true if any host bit was set. */
bool prefix_mask(struct prefix *p);

/* Writes "192.0.2.0/24" or "2001:db8::/32" into @text and returns @text. @p must be valid. */
char *prefix_text(const struct prefix *p, char text[static PREFIX_TEXT_LEN]);

#endif
