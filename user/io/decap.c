/* SPDX-License-Identifier: MIT */
/*
 * decap.c - parses Ethernet, IP and UDP headers and checks every length. Our XDP program has
 * usually made the same checks, but another program can also redirect a frame to the socket. So the
 * checks are repeated, and no frame is read beyond its end.
 *
 *   frame ─▶ Ethernet ─▶ IPv4 (IHL 5..15) ──────────────────┬─▶ UDP ─▶ payload
 *                    └─▶ IPv6 ─▶ extension headers (≤ 8) ───┘
 */
#include "io/decap.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <stddef.h>

#include "io/inner.h"

#define EXTENSIONS_MAX 8     /* IPv6 extension headers; no legitimate packet has more */
#define FRAGMENT_BITS 0x3fff /* IPv4: the flag "more fragments" and the offset */

struct cursor {
	uint8_t *pos, *end;
};

/* Returns the next @len bytes, or NULL if there are fewer. */
static uint8_t *take(struct cursor *c, size_t len)
{
	uint8_t *at = c->pos;

	if ((size_t)(c->end - at) < len)
		return NULL;
	c->pos += len;
	return at;
}

/* Shortens the packet to the next @len bytes, because the sender may have padded the Ethernet
 * frame. Returns false if the packet has fewer bytes. */
static bool cut(struct cursor *c, size_t len)
{
	if ((size_t)(c->end - c->pos) < len)
		return false;
	c->end = c->pos + len;
	return true;
}

static bool parse_ipv4(struct cursor *c, struct rx_frame *out)
{
	const uint8_t *at = take(c, sizeof(struct iphdr));
	struct iphdr ip; /* a copy, because the header after 14 bytes of Ethernet is not aligned */
	size_t header_len, total_len;

	if (!at)
		return false;
	memcpy(&ip, at, sizeof(ip));
	header_len = ip.ihl * 4u;
	total_len = ntohs(ip.tot_len);
	if (ip.version != 4 || ip.protocol != IPPROTO_UDP || (ip.frag_off & htons(FRAGMENT_BITS)) ||
	    header_len < sizeof(ip) || total_len < header_len)
		return false;
	if (!cut(c, total_len - sizeof(ip)) || !take(c, header_len - sizeof(ip)))
		return false;
	out->family = AF_INET;
	out->tclass = ip.tos;
	out->l3 = at;
	out->source = inner4_source(at);
	out->destination = inner4_destination(at);
	return true;
}

/* Moves the cursor past the extension headers. Returns false if no UDP header follows. */
static bool skip_extensions(struct cursor *c, uint8_t next)
{
	const uint8_t *extension;

	for (int i = 0; i <= EXTENSIONS_MAX; i++) {
		switch (next) {
		case IPPROTO_UDP:
			return true;
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
			/* RFC 8200 4.3: byte 0 is the type of the next header; byte 1 is the length
			 * in units of 8 bytes, without the first 8 bytes. */
			extension = take(c, 8);
			if (!extension || !take(c, extension[1] * 8u))
				return false;
			next = extension[0];
			break;
		default:
			return false;
		}
	}
	return false;
}

static bool parse_ipv6(struct cursor *c, struct rx_frame *out)
{
	const uint8_t *at = take(c, sizeof(struct ipv6hdr));
	struct ipv6hdr ip;

	if (!at)
		return false;
	memcpy(&ip, at, sizeof(ip));
	if (ip.version != 6 || !cut(c, ntohs(ip.payload_len)) || !skip_extensions(c, ip.nexthdr))
		return false;
	out->family = AF_INET6;
	out->tclass = (uint8_t)(ip.priority << 4 | ip.flow_lbl[0] >> 4);
	out->l3 = at;
	out->source = inner6_source(at);
	out->destination = inner6_destination(at);
	return true;
}

bool decap_parse(uint8_t *frame, uint32_t len, struct rx_frame *out)
{
	struct cursor c = { frame, frame + len };
	const uint8_t *ethernet = take(&c, sizeof(struct ethhdr)), *at;
	struct rx_frame found = { 0 };
	__be16 ethertype;
	struct udphdr udp;

	if (!ethernet)
		return false;
	memcpy(&ethertype, ethernet + offsetof(struct ethhdr, h_proto), sizeof(ethertype));
	if (ethertype == htons(ETH_P_IP)) {
		if (!parse_ipv4(&c, &found))
			return false;
	} else if (ethertype == htons(ETH_P_IPV6)) {
		if (!parse_ipv6(&c, &found))
			return false;
	} else {
		return false;
	}
	at = take(&c, sizeof(udp));
	if (!at)
		return false;
	memcpy(&udp, at, sizeof(udp));
	if (ntohs(udp.len) < sizeof(udp) || !cut(&c, ntohs(udp.len) - sizeof(udp)))
		return false;
	found.source_port = udp.source;
	found.payload = c.pos;
	found.len = (uint32_t)(c.end - c.pos);
	*out = found;
	return true;
}
