/* SPDX-License-Identifier: MIT */
/*
 * encap.h - where a peer's messages go, resolved: endpoint, source, and, when the next hop is
 * known on an attached NIC, the ready Ethernet/IP/UDP headers. Made by the control thread
 * (io/nexthop.c resolves), published through peer->encap, immutable, retired like a session.
 */
#ifndef WGXDP_ENCAP_H
#define WGXDP_ENCAP_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wg/endpoint.h"

#define ENCAP_HEADER_MAX (14 + 40 + 8) /* Ethernet, IPv6, UDP */

struct encap {
	struct endpoint endpoint;  /* with its source resolved where a route is known */
	struct endpoint requested; /* as asked for: the route may have overruled its source */
	uint32_t roam_count;	   /* peer->roam_count when it was resolved */
	struct encap_next {	   /* the neighbour that it hangs on; ifindex 0 = none */
		uint32_t ifindex;
		uint8_t family, addr[16];
	} next;
	uint16_t mtu;	    /* of the path, bytes of IP packet; 0 = unknown */
	bool via_tunnel;    /* the route leads into the tunnel itself */
	__be16 source_port; /* of what goes there */
	bool translated;    /* the host has a NAT for what goes there */
	bool xsk_ok;	    /* @header is good: may leave by AF_XDP on @ifindex */
	const char *why;    /* static text: why not; NULL if it is */
	uint32_t ifindex;
	uint8_t header_len;		  /* 42 (IPv4) or 62 (IPv6) */
	uint8_t header[ENCAP_HEADER_MAX]; /* class, lengths and checksums zero */
	uint16_t ip_sum, udp_sum; /* of the IPv4 header; of pseudo header and ports: see encap.c */
};

/* What a direct path needs beside the endpoint. */
struct encap_hop {
	uint32_t ifindex;
	uint8_t source_mac[6], next_hop_mac[6];
	__be16 source_port;
	uint8_t ttl;
};

/* A new encap for @e on the UDP path only. NULL when out of memory; free() it. */
struct encap *encap_new(const struct endpoint *e, uint16_t mtu);

/* Adds the direct path; e->endpoint must have its local address. */
void encap_set_xsk_ok(struct encap *e, const struct encap_hop *hop);

bool encap_next_same(const struct encap_next *a, const struct encap_next *b);

/* Nothing that a worker, or who looks at it, could tell apart: a new member has its place there. */
bool encap_same(const struct encap *a, const struct encap *b);

/* Bytes that IP and UDP add to a payload sent to @e: 28 or 48. */
static inline unsigned encap_overhead(const struct encap *e)
{
	return e->endpoint.remote.sa.sa_family == AF_INET ? 28 : 48;
}

/* Writes the headers before @payload of @len bytes (e->header_len bytes must be free there), with
 * lengths, class (DSCP and ECN), IP ID @id (IPv4), and checksums; the UDP checksum is computed over
 * the payload. @len fits the path's MTU. Worker. */
void encap_write(const struct encap *e, uint8_t *payload, uint32_t len, uint16_t id,
		 uint8_t tclass);

/* Do the IP and UDP checksums of a received datagram fit? UDP: full, or the sum over the pseudo
 * header only (of a veth's or VM's other side, that left the rest to a NIC), or over IPv4 none (zero).
 * @l3 points at the IP header, @udp at the UDP header; that the IPv4 header and as many bytes as the
 * UDP length says are there has the caller checked. [contract] 4.5 */
bool encap_checksum_fits(const uint8_t *l3, const uint8_t *udp);

#endif
