/* SPDX-License-Identifier: MIT */
/*
 * encap.h - the resolved destination of the messages to a peer: endpoint, source address, and a
 * template of the Ethernet, IP and UDP headers if AF_XDP can send to the peer. The control thread
 * makes an encap (io/nexthop.c) and publishes it as peer->encap. A published encap never changes,
 * and is freed through path/qsbr.h.
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
	struct endpoint endpoint;  /* to send to; has the resolved source if a route is known */
	struct endpoint requested; /* @endpoint before it was resolved, maybe without a source */
	uint32_t roam_count;	   /* peer->roam_count when the encap was resolved */
	struct encap_next {	   /* the next hop; ifindex 0 = none */
		uint32_t ifindex;
		uint8_t family, addr[16];
	} next;
	uint16_t mtu;	 /* path MTU: the largest IP packet in bytes; 0 = unknown */
	bool via_tunnel; /* the route leads into the tunnel itself */
	__be16 source_port;
	bool translated; /* the host applies NAT to packets for this endpoint */
	bool xsk_ok;	 /* AF_XDP may send; the members from @ifindex on are filled in */
	/* Static text or NULL. If @xsk_ok is false: why AF_XDP may not send. If @xsk_ok is true:
	 * which IPsec policy AF_XDP bypasses. */
	const char *why;
	uint32_t ifindex;		  /* the NIC through which AF_XDP sends */
	uint8_t header_len;		  /* 42 (IPv4) or 62 (IPv6) */
	uint8_t header[ENCAP_HEADER_MAX]; /* template: class, lengths, ID and checksums are 0 */
	uint16_t ip_sum, udp_sum; /* partial checksums: IPv4 header; pseudo header and ports */
};

/* The properties of a destination that AF_XDP needs in addition to the endpoint. */
struct encap_hop {
	uint32_t ifindex;
	uint8_t source_mac[6], next_hop_mac[6];
	__be16 source_port;
	uint8_t ttl;
};

/* Makes an encap for @e that only the UDP socket can use. Returns NULL when out of memory. The
 * caller frees the encap with free(). */
struct encap *encap_new(const struct endpoint *e, uint16_t mtu);

/* Makes @e usable for AF_XDP as well. e->endpoint must have a local address. */
void encap_set_xsk_ok(struct encap *e, const struct encap_hop *hop);

bool encap_next_same(const struct encap_next *a, const struct encap_next *b);

/* Returns true if @a and @b are equal in all members that workers and `wgxdp show` use. Extend this
 * function when you add such a member. */
bool encap_same(const struct encap *a, const struct encap *b);

/* Returns how many bytes the IP and UDP headers of a packet to @e have: 28 or 48. */
static inline unsigned encap_overhead(const struct encap *e)
{
	return e->endpoint.remote.sa.sa_family == AF_INET ? 28 : 48;
}

/* Writes the headers into the e->header_len bytes before @payload. Fills in the lengths for a
 * payload of @len bytes, the class @tclass (DSCP and ECN), the IPv4 ID @id, and the checksums. The
 * caller has checked that @len fits the path's MTU. Workers call this. */
void encap_write(const struct encap *e, uint8_t *payload, uint32_t len, uint16_t id,
		 uint8_t tclass);

/* Returns true if the IP and UDP checksums of a received datagram are right. Accepts three forms of
 * the UDP checksum: the full checksum; the sum over only the pseudo header, which a veth or a
 * virtual machine leaves to the NIC to complete; and, over IPv4, zero ("no checksum").
 * @l3 points at the IP header, @udp at the UDP header. The caller has checked all lengths in these
 * headers. */
bool encap_checksum_fits(const uint8_t *l3, const uint8_t *udp);

#endif
