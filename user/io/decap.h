/* SPDX-License-Identifier: MIT */
/*
 * decap.h - finds the UDP payload in an Ethernet frame, the reverse of encap.h.
 */
#ifndef WGXDP_DECAP_H
#define WGXDP_DECAP_H

#include <stdbool.h>
#include <stdint.h>

#include "io/frame.h"

/* Parses the @len bytes at @frame as an untagged Ethernet frame with an unfragmented UDP datagram
 * over IPv4 (options are allowed) or IPv6 (extension headers are allowed: hop-by-hop options,
 * routing and destination options). Fills in @out, with ifindex 0; the pointers in @out point into
 * the frame. Returns false and leaves @out untouched for any other frame, and if a length in a
 * header exceeds the frame. Does not check checksums; encap_checksum_fits() does. */
bool decap_parse(uint8_t *frame, uint32_t len, struct rx_frame *out);

#endif
