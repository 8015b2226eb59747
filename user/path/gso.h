/* SPDX-License-Identifier: MIT */
/*
 * gso.h - cuts a large TCP or UDP packet that the host left to us (TSO, USO) into the segments
 * that are sent. Pure functions: no system call, no allocation.
 *
 *   | IP, TCP | payload ................................ |      from the TUN, with its vnet header
 *   | IP, TCP |  | IP, TCP |  ...     gso_write_headers(0), gso_write_headers(1), ...: each goes
 *                                     before its piece of the payload, which stays where it lies
 *
 * Segment i has the headers of the packet with: its own lengths; IPv4 ID + i; TCP sequence number
 * + i times the size; CWR only in the first; FIN and PSH only in the last; and its checksums. The
 * checksum of a segment is derived from the partial sum in the packet, so that a wrong one stays
 * wrong.
 */
#ifndef WGXDP_GSO_H
#define WGXDP_GSO_H

#include <stdbool.h>
#include <stdint.h>

#include "io/vnet.h"

struct gso {
	uint32_t len;	     /* of the packet */
	uint32_t segments;   /* 1 = the packet is sent as it is */
	uint16_t size;	     /* payload bytes of a segment but the last */
	uint16_t l4;	     /* offset of the transport header */
	uint16_t header_len; /* IP and transport header */
	bool v6, udp;
	uint64_t ip_sum; /* IPv4: of the header without total length, ID and checksum */
	uint64_t l4_sum; /* pseudo header without length, transport header without what varies */
};

/* Reads what is to be done with the IP packet of @len bytes at @packet. Returns false if @vnet
 * does not fit the packet. A packet with a checksum to be finished but nothing to be cut is
 * finished in place. */
bool gso_parse(struct gso *g, const struct virtio_net_hdr *vnet, uint8_t *packet, uint32_t len);

/* Returns the length of segment @i as an IP packet. */
static inline uint32_t gso_segment_len(const struct gso *g, uint32_t i)
{
	if (i + 1 < g->segments)
		return g->header_len + (uint32_t)g->size;
	return g->len - i * g->size;
}

/* IPv4 and TCP, with all their options. Leaves IPv6 20 bytes for extension headers, or more if TCP
 * has fewer options; a packet with more is refused. */
#define GSO_HEADERS_MAX (60 + 60)

/* Returns the offset in the packet of segment @i's payload. */
static inline uint32_t gso_payload(const struct gso *g, uint32_t i)
{
	return g->header_len + i * g->size;
}

/* Writes the headers of segment @i to @out, which has room for g->header_len <= GSO_HEADERS_MAX
 * bytes. Only for packets with more than one segment. */
void gso_write_headers(const struct gso *g, const uint8_t *packet, uint32_t i, uint8_t *out);

/* Writes segment @i of @packet to @out, which has room for gso_segment_len() bytes. Only for
 * packets with more than one segment. */
void gso_write(const struct gso *g, const uint8_t *packet, uint32_t i, uint8_t *out);

#endif
