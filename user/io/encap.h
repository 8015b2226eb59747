/* SPDX-License-Identifier: MIT */
/*
 * encap.h - the resolved destination of a peer's messages: endpoint, source, and the finished
 * Ethernet/IP/UDP headers if the next hop is known on an attached NIC. The control thread makes it
 * (io/nexthop.c) and publishes it as peer->encap. From then on it is immutable, and it is retired
 * like a session.
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
	struct endpoint endpoint;  /* with the resolved source if a route is known */
	struct endpoint requested; /* as asked for; the route may have replaced its source */
	uint32_t roam_count;	   /* peer->roam_count when it was resolved */
	struct encap_next {	   /* the neighbour that it depends on; ifindex 0 = none */
		uint32_t ifindex;
		uint8_t family, addr[16];
	} next;
	uint16_t mtu;	 /* of the path, bytes of IP packet; 0 = unknown */
	bool via_tunnel; /* the route leads into the tunnel itself */
	__be16 source_port;
	bool translated; /* the host translates (NAT) packets to this endpoint */
	bool xsk_ok;	 /* @header is complete: AF_XDP may send on @ifindex */
	const char *why; /* static text: why AF_XDP may not send; NULL if it may */
	uint32_t ifindex;
	uint8_t header_len;		  /* 42 (IPv4) or 62 (IPv6) */
	uint8_t header[ENCAP_HEADER_MAX]; /* class, lengths and checksums zero */
	uint16_t ip_sum, udp_sum; /* partial checksums: IPv4 header; pseudo header and ports */
};

/* What the AF_XDP path needs beside the endpoint. */
struct encap_hop {
	uint32_t ifindex;
	uint8_t source_mac[6], next_hop_mac[6];
	__be16 source_port;
	uint8_t ttl;
};

/* Makes an encap for @e that only the UDP path can use. NULL when out of memory. To be freed by
 * free(). */
struct encap *encap_new(const struct endpoint *e, uint16_t mtu);

/* Adds the AF_XDP path. e->endpoint must have its local address. */
void encap_set_xsk_ok(struct encap *e, const struct encap_hop *hop);

bool encap_next_same(const struct encap_next *a, const struct encap_next *b);

/* Are @a and @b the same for a worker and for `show`? A new member must be compared here. */
bool encap_same(const struct encap *a, const struct encap *b);

/* Bytes of the IP and UDP headers of packets to @e: 28 or 48. */
static inline unsigned encap_overhead(const struct encap *e)
{
	return e->endpoint.remote.sa.sa_family == AF_INET ? 28 : 48;
}

/* Writes the headers into the e->header_len bytes before @payload of @len bytes: lengths, class
 * (DSCP and ECN), IP ID @id (IPv4) and checksums. The caller has checked that @len fits the path's
 * MTU. Worker. */
void encap_write(const struct encap *e, uint8_t *payload, uint32_t len, uint16_t id,
		 uint8_t tclass);

/* Are the IP and UDP checksums of a received datagram right? Three forms of the UDP checksum are:
 * the full one; the sum over the pseudo header only, which the other end of a veth or a virtual
 * machine leaves to a NIC to complete; and zero ("none") over IPv4. @l3 points at the IP header,
 * @udp at the UDP header. The caller has checked that the IPv4 header and as many bytes as the UDP
 * length says are there. */
bool encap_checksum_fits(const uint8_t *l3, const uint8_t *udp);

#endif
