/* SPDX-License-Identifier: MIT */
/*
 * gso.h - splits a large TCP or UDP packet, which the host did not segment itself (TSO, USO), into
 * the segments that are sent. The functions make no system call and allocate no memory.
 *
 *   | IP, TCP | payload ................................ |      from the TUN, with its vnet header
 *   | IP, TCP, pay |  | IP, TCP, pay |  ...     gso_write_head(0), gso_write_head(1), ...: the
 *                                     headers of each segment, and a few bytes of its payload; the
 *                                     other bytes are not copied
 *
 * Segment i has a copy of the packet's headers, with these changes: its own lengths and checksums;
 * IPv4 ID + i; TCP sequence number + i times the size; CWR only in the first segment; FIN and PSH
 * only in the last. The checksum of a segment is derived from the partial sum in the packet. If
 * this sum is wrong, the checksums of all segments are wrong, too.
 */
#ifndef WGXDP_GSO_H
#define WGXDP_GSO_H

#include <stdbool.h>
#include <stdint.h>

#include "io/vnet.h"

struct gso {
	uint32_t len;	     /* length of the packet */
	uint32_t segments;   /* 1 = the packet is not split */
	uint16_t size;	     /* payload bytes of each segment except the last */
	uint16_t l4;	     /* offset of the transport header */
	uint16_t header_len; /* IP and transport header */
	bool v6, udp;
	/* Sum over the IPv4 header fields that all segments share: all except total length, ID and
	 * checksum. */
	uint64_t ip_sum;
	/* Sum over the pseudo header and the transport header without the lengths, the checksum
	 * and, in TCP, the sequence number and the word with data offset and flags. */
	uint64_t l4_sum;
};

/* Fills @g for the IP packet of @len bytes at @packet, according to its @vnet header. Returns false
 * if @vnet does not fit the packet, or if the packet is to be split and its checksum is complete
 * but wrong. If the packet is not to be split but its checksum is partial, completes the checksum
 * in place. */
bool gso_parse(struct gso *g, const struct virtio_net_hdr *vnet, uint8_t *packet, uint32_t len);

/* Returns the length of segment @i as an IP packet. */
static inline uint32_t gso_segment_len(const struct gso *g, uint32_t i)
{
	if (i + 1 < g->segments)
		return g->header_len + (uint32_t)g->size;
	return g->len - i * g->size;
}

/* The block size of ChaCha20 in bytes. gso_write_head() writes whole blocks if it can, because the
 * AEAD is then fastest. */
#define GSO_HEAD_STEP 64

/* The length of the longest IPv4 and TCP headers, with options. A packet that is to be split and
 * has longer headers (IPv6 with many extension headers) is refused. */
#define GSO_HEADERS_MAX (60 + 60)

/* Byte k of segment @i, if it is payload, is byte gso_shift() + k of the packet. */
static inline uint32_t gso_shift(const struct gso *g, uint32_t i)
{
	return i * g->size;
}

/* Writes the head of segment @i to @out, which has room for the whole segment. Returns the length
 * of the head: the headers, and so much of the payload that it is a multiple of GSO_HEAD_STEP; or
 * the whole segment if that is shorter. Only for packets with more than one segment. */
uint32_t gso_write_head(const struct gso *g, const uint8_t *packet, uint32_t i, uint8_t *out);

/* Writes segment @i of @packet to @out, which has room for gso_segment_len() bytes. Only for
 * packets with more than one segment. */
void gso_write(const struct gso *g, const uint8_t *packet, uint32_t i, uint8_t *out);

#endif
