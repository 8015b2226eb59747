/* SPDX-License-Identifier: MIT */
/*
 * decap.h - finds the UDP payload in an Ethernet frame, the reverse of encap.h.
 */
#ifndef WGXDP_DECAP_H
#define WGXDP_DECAP_H

#include <stdbool.h>
#include <stdint.h>

#include "io/frame.h"

/* Finds the datagram in the @len bytes at @frame: untagged Ethernet, IPv4 (options are fine) or
 * IPv6 (with hop-by-hop, routing and destination options), no fragment, UDP. Fills in @out except
 * ifindex; its pointers lie within the frame. Returns false and leaves @out untouched for any other
 * frame and for one that claims more bytes than there are. encap_checksum_fits() checks the
 * checksums. */
bool decap_parse(uint8_t *frame, uint32_t len, struct rx_frame *out);

#endif
