/* SPDX-License-Identifier: MIT */
/*
 * gro.h - merges received TCP or UDP packets of one flow into large ones, which the tunnel
 * interface takes in one write (TSO, USO). The exact reverse of gso.h. Pure functions: no system
 * call.
 *
 *   packets of a batch:   A1  B1  A2  C  A3  B2
 *   gro_add ─▶ groups:    A1─A2─A3   B1─B2   C          in the order of their first packets
 *   gro_build ─▶ iovec:   | vnet | headers of A1, adapted | payload A1 | payload A2 | payload A3 |
 *
 * Packets join a group only if cutting the merged packet restores them, bit by bit; the one
 * exception is the IPv4 ID of packets with DF, which has no meaning (RFC 6864). They have the same
 * peer, addresses, ports, TOS, TTL, TCP acknowledgement number, window and options. Their flags
 * are ACK or ACK and PSH, their payloads adjacent and equally long except the last. Nothing
 * follows a shorter packet or PSH.
 *
 * A merged packet gets a new checksum, so the checksums of all its packets are verified first. A
 * packet with a wrong one goes alone, as it came.
 *
 * A packet may only join the newest group of its flow, so the packets of a flow are never
 * reordered.
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
	uint32_t len; /* of the IP packet */
	uint32_t slot;
	uint16_t next;	     /* in its group; GRO_NONE = last */
	uint16_t header_len; /* IP and transport header; 0 = neither TCP nor UDP, or not plain */
	uint16_t l4;
	bool v6, udp;
};

#define GRO_NONE UINT16_MAX

struct gro_group {
	uint16_t first, last; /* packets */
	uint16_t count;
	uint16_t size;	/* payload bytes of a packet but the last */
	bool open;	/* packets may join */
	bool verified;	/* the checksum of the first packet is right */
	uint32_t total; /* length of the merged IP packet */
};

struct gro {
	bool tcp, udp; /* what may be merged */
	unsigned packet_count, group_count;
	struct gro_packet packets[FRAME_BATCH];
	struct gro_group groups[FRAME_BATCH];
	uint16_t flows[GRO_FLOWS]; /* newest group, by hash */
};

/* Empties @g. @tcp, @udp: what may be merged. */
void gro_begin(struct gro *g, bool tcp, bool udp);

/* Adds the IP packet of @len bytes at @ip, which holds a whole header and is as long as its header
 * says. It is of the peer in @slot, and borrowed until the next gro_begin(). At most FRAME_BATCH
 * packets. */
void gro_add(struct gro *g, uint8_t *ip, uint32_t len, uint32_t slot);

/* What is written before the payloads. */
struct gro_head {
	struct virtio_net_hdr vnet;
	uint8_t headers[GRO_HEADERS_MAX];
};

/* Describes @group, which has more than one packet, for one writev() that begins with @head.
 * Returns the number of elements of @iov that are used. */
unsigned gro_build(const struct gro *g, const struct gro_group *group, struct gro_head *head,
		   struct iovec iov[static GRO_IOV_MAX]);

#endif
