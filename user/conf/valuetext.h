/* SPDX-License-Identifier: MIT */
/*
 * valuetext.h - reads numbers, prefixes and endpoints from text, for config files, the
 * configuration socket and the command line alike.
 */
#ifndef WGXDP_VALUETEXT_H
#define WGXDP_VALUETEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "wg/endpoint.h"
#include "wg/prefix.h"

/* Reads a number of digits of @base (10 or 16) and nothing else, up to @max. Leaves @out untouched
 * on failure. */
bool valuetext_number(const char *text, unsigned base, uint32_t max, uint32_t *out)
	__attribute__((warn_unused_result));

/* The same, decimal or with 0x before it. A decimal number with a 0 before it is refused, because
 * ip(8) would read it as octal. */
bool valuetext_number_0x(const char *text, uint32_t max, uint32_t *out)
	__attribute__((warn_unused_result));

/* Reads "address" or "address/bits" and keeps the host bits. Returns NULL, or the end of a sentence
 * that says what is wrong; @out is then untouched. */
const char *valuetext_prefix(const char *text, struct prefix *out)
	__attribute__((warn_unused_result));

/* The same for an address of an interface, which may have a netmask in the place of the bits, as
 * for ip(8) and so for wg-quick(8). */
const char *valuetext_interface_address(const char *text, struct prefix *out)
	__attribute__((warn_unused_result));

/* Is @text an IPv4 or IPv6 address? The latter may name its link: "fe80::1%eth0". */
bool valuetext_is_address(const char *text) __attribute__((warn_unused_result));

/* Can @text be the name of a host or a domain? It consists of letters, digits, '_', '.', '-' and
 * bytes from 0x80, does not begin with '-', and has at most 254 bytes (RFC 1035 2.3.4). */
bool valuetext_is_domain(const char *text) __attribute__((warn_unused_result));

/* Cuts "host:port" or "[v6]:port" in place, at the last colon as wg(8) does. Returns NULL, or what
 * is wrong. */
const char *valuetext_split_endpoint(char *text, char **host, char **port)
	__attribute__((warn_unused_result));

/* Fills in the remote side of @e from the first answer of getaddrinfo(3). With @numeric only
 * addresses are accepted and nothing blocks. Returns 0, -EAGAIN (DNS did not answer), -ENOENT. */
int valuetext_resolve(struct endpoint *e, const char *host, const char *port, bool numeric)
	__attribute__((warn_unused_result));

#endif
