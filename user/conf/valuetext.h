/* SPDX-License-Identifier: MIT */
/*
 * valuetext.h - numbers, prefixes and endpoints as text, read the same way for config files and
 * for the configuration socket.
 */
#ifndef WGXDP_VALUETEXT_H
#define WGXDP_VALUETEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "wg/endpoint.h"
#include "wg/prefix.h"

/* Reads digits of @base (10 or 16) and nothing else, up to @max; @out is untouched on failure. */
bool valuetext_number(const char *text, unsigned base, uint32_t max, uint32_t *out)
	__attribute__((warn_unused_result));

/* Reads "address" or "address/bits"; host bits are kept. Returns NULL, or what is wrong with it as
 * the end of a sentence; @out is then untouched. */
const char *valuetext_prefix(const char *text, struct prefix *out)
	__attribute__((warn_unused_result));

/* Cuts "host:port", "[v6]:port" in place as wg does: at the last colon. Returns NULL, or what is
 * wrong with it. */
const char *valuetext_split_endpoint(char *text, char **host, char **port)
	__attribute__((warn_unused_result));

/* Fills the remote side of @e from the first answer of getaddrinfo(3); with @numeric no name is
 * looked up and nothing blocks. Returns 0, -EAGAIN (DNS did not answer), -ENOENT. */
int valuetext_resolve(struct endpoint *e, const char *host, const char *port, bool numeric)
	__attribute__((warn_unused_result));

#endif
