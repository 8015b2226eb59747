/* SPDX-License-Identifier: MIT */
/*
 * segments.h - builds TCP and UDP packets for the tests of gso.c and gro.c. The code is slow and
 * obvious: it writes one byte at a time and sums each checksum over the whole packet.
 */
#ifndef TESTS_SEGMENTS_H
#define TESTS_SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/vnet.h"

struct segment {
	bool v6, udp;
	uint8_t host; /* last byte of both addresses */
	uint8_t tos, ttl;
	bool df;
	uint16_t id, port;
	uint32_t seq, ack;
	uint16_t window, urgent;
	uint8_t flags;
	uint8_t options; /* bytes, a multiple of 4 */
	uint8_t option_fill;
	uint16_t payload;
	uint8_t fill; /* the first payload byte; the following bytes count up from it */
};

#define SEGMENT_MAX 65535

/* Writes the packet with its checksums to @out, which has room for SEGMENT_MAX bytes. Returns its
 * length. */
size_t segment_build(const struct segment *s, uint8_t *out);

/* Returns the length of the IP and transport headers. */
size_t segment_header_len(const struct segment *s);

/* Fills in @vnet as the kernel does for a packet that is still to be segmented, with @size bytes of
 * payload per segment. Replaces the transport checksum in @packet by the sum of the pseudo
 * header. */
void segment_leave_checksum(const struct segment *s, uint8_t *packet, size_t len, uint16_t size,
			    struct virtio_net_hdr *vnet);

/* Returns segment number @i of @s, cut into segments of @size bytes of payload. The last one may be
 * shorter. */
struct segment segment_cut(const struct segment *s, uint16_t size, unsigned i);

/* Returns true if the IPv4 header checksum and the transport checksum of @packet are correct. */
bool segment_checksums_right(const uint8_t *packet, size_t len, bool udp);

#endif
