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

/* Reads a number up to @max that consists only of digits in @base (10 or 16). Returns false with
 * @out unchanged on failure. */
bool valuetext_number(const char *text, unsigned base, uint32_t max, uint32_t *out)
	__attribute__((warn_unused_result));

/* Reads a number up to @max that is decimal, or hexadecimal with 0x. Refuses a decimal number
 * with a leading 0, because ip(8) would read it as octal. Returns false with @out unchanged on
 * failure. */
bool valuetext_number_0x(const char *text, uint32_t max, uint32_t *out)
	__attribute__((warn_unused_result));

/* Reads "address" or "address/bits" and keeps the host bits. Returns NULL, or what is wrong with
 * the text, with @out unchanged. */
const char *valuetext_prefix(const char *text, struct prefix *out)
	__attribute__((warn_unused_result));

/* Reads an address of an interface like valuetext_prefix(), but also accepts a netmask instead of
 * the bits, as ip(8) and therefore wg-quick(8) do. */
const char *valuetext_interface_address(const char *text, struct prefix *out)
	__attribute__((warn_unused_result));

/* Returns true if @text is an IPv4 or IPv6 address. An IPv6 address may have a scope:
 * "fe80::1%eth0". */
bool valuetext_is_address(const char *text) __attribute__((warn_unused_result));

/* Returns true if @text can be the name of a host or domain: it consists of letters, digits, '_',
 * '.', '-' and bytes from 0x80 on, does not begin with '-', and has at most 254 bytes (RFC 1035
 * 2.3.4). */
bool valuetext_is_domain(const char *text) __attribute__((warn_unused_result));

/* Splits "host:port" or "[v6]:port" in place, at the last colon like wg(8). Returns NULL, or what
 * is wrong with the text. */
const char *valuetext_split_endpoint(char *text, char **host, char **port)
	__attribute__((warn_unused_result));

/* Fills in the remote side of @e from the first address that getaddrinfo(3) returns. With @numeric,
 * accepts only addresses and never blocks. Returns 0, -EAGAIN (DNS did not answer) or -ENOENT. */
int valuetext_resolve(struct endpoint *e, const char *host, const char *port, bool numeric)
	__attribute__((warn_unused_result));

#endif
