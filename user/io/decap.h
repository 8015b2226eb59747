/* SPDX-License-Identifier: MIT */
/*
 * decap.h - from an Ethernet frame to the UDP payload in it; the way back of encap.h.
 */
#ifndef WGXDP_DECAP_H
#define WGXDP_DECAP_H

#include <stdbool.h>
#include <stdint.h>

#include "io/frame.h"

/* Finds the datagram in the @len bytes at @frame: untagged Ethernet, IPv4 with options or IPv6 with
 * hop-by-hop, routing and destination options, no fragment, UDP. Fills @out, whose pointers lie
 * within the frame; ifindex is left to the caller. False, with @out untouched, when it is anything
 * else or claims more bytes than there are. Checksums are not looked at: encap_checksum_fits(). */
bool decap_parse(uint8_t *frame, uint32_t len, struct rx_frame *out);

#endif
