/* SPDX-License-Identifier: MIT */
/*
 * gro.h - merges received TCP or UDP packets of one flow into large ones, each of which goes into
 * the tunnel interface with one write (TSO, USO). Merging is the exact reverse of gso.h. The
 * functions make no system call.
 *
 *   packets of a batch:   A1  B1  A2  C  A3  B2
 *   gro_add ─▶ groups:    A1─A2─A3   B1─B2   C          in the order of their first packets
 *   gro_build ─▶ iovec:   | vnet | headers of A1, adapted | payload A1 | payload A2 | payload A3 |
 *
 * Packets join a group only if segmenting the merged packet would restore each of them exactly.
 * The one exception is the IPv4 ID of packets with DF, which has no meaning (RFC 6864). So the
 * packets of a group have the same peer, addresses, ports, TOS, TTL, TCP acknowledgement number,
 * window and options. Their TCP flags are ACK, or ACK and PSH. Their payloads are adjacent and have
 * the same length, except that the last may be shorter. A shorter packet, or one with PSH, is the
 * last of its group.
 *
 * A merged packet gets a new checksum, so the checksums of all its packets are verified first. A
 * packet with a wrong checksum is not merged and is written unchanged.
 *
 * The only group that a packet may join is the newest one of its flow, so the packets of a flow are
 * never reordered.
 */
#ifndef WGXDP_GRO_H
#define WGXDP_GRO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "io/frame.h"
#include "io/vnet.h"

#define GRO_FLOWS 64		  /* a power of two */
#define GRO_HEADERS_MAX (40 + 60) /* IPv6, TCP with options */
#define GRO_IOV_MAX (FRAME_BATCH + 1)

struct gro_packet {
	uint8_t *ip;
	uint32_t len;	     /* length of the IP packet */
	uint32_t slot;	     /* slot number of the peer from which the packet came */
	uint16_t next;	     /* index of the next packet in the group; GRO_NONE = none */
	uint16_t header_len; /* IP and transport header; 0 = not a plain TCP or UDP packet */
	uint16_t l4;	     /* offset of the transport header */
	bool v6, udp;
};

#define GRO_NONE UINT16_MAX

struct gro_group {
	uint16_t first, last; /* indices in packets[] */
	uint16_t count;
	uint16_t size;	/* payload bytes of each packet except the last */
	bool open;	/* packets may join */
	bool verified;	/* the checksum of the first packet was checked and is right */
	uint32_t total; /* length of the merged IP packet */
};

struct gro {
	bool tcp, udp; /* protocols that may be merged */
	unsigned packet_count, group_count;
	struct gro_packet packets[FRAME_BATCH];
	struct gro_group groups[FRAME_BATCH];
	uint16_t flows[GRO_FLOWS]; /* flows[hash of a flow] = its newest group, or GRO_NONE */
};

/* Empties @g. @tcp, @udp: which protocols may be merged. */
void gro_begin(struct gro *g, bool tcp, bool udp);

/* Adds the IP packet of @len bytes at @ip, which came from the peer in @slot. The caller has
 * checked that the header is complete and that @len is the length in the header. The packet is
 * borrowed until the next gro_begin(). At most FRAME_BATCH packets can be added. */
void gro_add(struct gro *g, uint8_t *ip, uint32_t len, uint32_t slot);

/* The headers of a merged packet, which are written before the payloads. */
struct gro_head {
	struct virtio_net_hdr vnet;
	uint8_t headers[GRO_HEADERS_MAX];
};

/* Fills @head and @iov so that one writev() of @iov writes @group as one merged packet. @group must
 * have more than one packet. Returns the number of elements of @iov that are used. */
unsigned gro_build(const struct gro *g, const struct gro_group *group, struct gro_head *head,
		   struct iovec iov[static GRO_IOV_MAX]);

#endif
