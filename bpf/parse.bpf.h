/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * parse.bpf.h - parses a frame up to its UDP payload, with a cursor that never passes the last byte
 * that can be read. If the frame is not a plain, whole UDP datagram, parse_frame() returns false,
 * and the caller passes the frame to the stack.
 *
 *   Ethernet ─ untagged ┬─ IPv4: checksum, options, no fragment ─┬─ UDP header
 *                       └─ IPv6: a few extension headers ────────┘
 *
 * The length in the IP header decides where the packet ends. The frame may be longer, because
 * Ethernet pads to 60 bytes. If the frame is shorter, the datagram is not whole. Three kinds of
 * extension headers are accepted before UDP (RFC 8200 4.1): hop-by-hop options, destination
 * options, and a routing header with no segments left. Packets with other or more extension headers
 * go to the stack, which delivers them to our UDP socket.
 */
#ifndef WGXDP_PARSE_BPF_H
#define WGXDP_PARSE_BPF_H

#include <stdbool.h>

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "wgxdp/maps.h"

#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV4_FRAGMENT_OFFSET 0x1fff

/* RFC 8200 4.1 recommends at most four extension headers of the accepted kinds before UDP. */
#define IPV6_EXTENSIONS_MAX 4

struct cursor {
	const void *pos;
	const void *end; /* end of the bytes that can be read */
	__u32 beyond;	 /* bytes of the frame after @end; always 0 in XDP */
};

/* The first 8 bytes of an extension header of the three accepted kinds. */
struct extension {
	__u8 next;
	__u8 units; /* length in units of 8 bytes, without the first 8 bytes */
	__u8 routing_type;
	__u8 segments_left; /* only in a routing header */
	__u8 rest[4];
};

struct datagram {
	const struct ethhdr *eth;
	const struct udphdr *udp;
	struct listen_key to; /* destination address and port */
	__u32 udp_room;	      /* bytes from the UDP header to the end of the IP packet */
	bool ipv6;
};

/* Returns the address of the next @len bytes and moves the cursor past them. Returns NULL if fewer
 * than @len bytes can be read. */
static __always_inline const void *cursor_take(struct cursor *c, __u32 len)
{
	const void *p = c->pos;

	if (p + len > c->end)
		return NULL;
	c->pos = p + len;
	return p;
}

/* Returns the number of bytes from @p to the end of the frame. */
static __always_inline __u32 cursor_room(const struct cursor *c, const void *p)
{
	return c->end - p + c->beyond;
}

/* Returns true if the RFC 1071 sum over the header, including its checksum field, is all ones. */
static __always_inline bool ipv4_checksum_valid(const struct cursor *c, const struct iphdr *ip)
{
	const __u32 *word = (const void *)ip;
	__u64 sum = 0;

	for (int i = 0; i < 15; i++, word++) {
		if (i >= ip->ihl)
			break;
		/* The verifier needs the next check at this place. Without the barrier clang 19
		 * moves the check. */
		barrier_var(word);
		if ((const void *)(word + 1) > c->end)
			return false;
		sum += *word;
	}
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return sum == 0xffff;
}

/* Returns true if the source address is invalid: "this network" (0.0.0.0/8), loopback, multicast,
 * reserved, or equal to the destination. */
static __always_inline bool ipv4_martian(const struct iphdr *ip)
{
	__u8 first = bpf_ntohl(ip->saddr) >> 24;

	return first == 0 || first == 127 || first >= 224 || ip->saddr == ip->daddr;
}

static __always_inline bool parse_ipv4(struct cursor *c, struct datagram *d)
{
	const struct iphdr *ip = cursor_take(c, sizeof(*ip));
	__u32 header_len, total_len;

	if (!ip || ip->version != 4 || ip->ihl < 5 || ip->protocol != IPPROTO_UDP)
		return false;
	header_len = ip->ihl * 4;
	total_len = bpf_ntohs(ip->tot_len);
	if (total_len < header_len || total_len > cursor_room(c, ip))
		return false;
	if (ip->frag_off & bpf_htons(IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET))
		return false;
	if (ipv4_martian(ip) || !ipv4_checksum_valid(c, ip))
		return false;

	d->ipv6 = false;
	d->to.address[10] = d->to.address[11] = 0xff;
	__builtin_memcpy(d->to.address + 12, &ip->daddr, sizeof(ip->daddr));
	d->udp_room = total_len - header_len;
	c->pos += header_len - sizeof(*ip);
	return true;
}

/* Returns true if the IPv6 source address is invalid: unspecified (::), loopback (::1), multicast,
 * IPv4-mapped, or equal to the destination. */
static __always_inline bool ipv6_martian(const struct ipv6hdr *ip)
{
	const __be32 *s = ip->saddr.in6_u.u6_addr32, *d = ip->daddr.in6_u.u6_addr32;

	if (ip->saddr.in6_u.u6_addr8[0] == 0xff)
		return true;
	if (!s[0] && !s[1] && (s[2] == bpf_htonl(0xffff) || (!s[2] && bpf_ntohl(s[3]) <= 1)))
		return true;
	return s[0] == d[0] && s[1] == d[1] && s[2] == d[2] && s[3] == d[3];
}

static __always_inline bool parse_is_extension(__u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS;
}

/* Moves the cursor from the end of the IPv6 header to the UDP header. @next is the type of the
 * header at the cursor. The contents of option headers are not read, because no option changes the
 * receiver of the datagram. Returns false if no UDP header follows. */
static __always_inline bool skip_extensions(struct cursor *c, struct datagram *d, __u8 next)
{
	const struct extension *e;
	__u32 len;

	for (int i = 0; i < IPV6_EXTENSIONS_MAX && next != IPPROTO_UDP; i++) {
		/* RFC 8200 4.1: hop-by-hop options must be the first extension header. */
		if (!parse_is_extension(next) || (next == IPPROTO_HOPOPTS && i))
			return false;
		e = cursor_take(c, sizeof(*e));
		if (!e || (next == IPPROTO_ROUTING && e->segments_left))
			return false;
		len = sizeof(*e) + e->units * 8;
		if (len > d->udp_room)
			return false;
		d->udp_room -= len;
		c->pos += len - sizeof(*e);
		next = e->next;
	}
	return next == IPPROTO_UDP;
}

static __always_inline bool parse_ipv6(struct cursor *c, struct datagram *d)
{
	const struct ipv6hdr *ip = cursor_take(c, sizeof(*ip));

	if (!ip || ip->version != 6)
		return false;
	d->udp_room = bpf_ntohs(ip->payload_len);
	if (d->udp_room > cursor_room(c, c->pos) || ipv6_martian(ip))
		return false;

	d->ipv6 = true;
	__builtin_memcpy(d->to.address, &ip->daddr, sizeof(d->to.address));
	return skip_extensions(c, d, ip->nexthdr);
}

/* Fills @d and leaves the cursor at the UDP payload. Returns false if the frame is not a whole UDP
 * datagram, or if its source address or port is invalid. The UDP length is not checked here,
 * because a wrong length is an error only if the datagram is addressed to us. */
static __always_inline bool parse_frame(struct cursor *c, struct datagram *d)
{
	__builtin_memset(d, 0, sizeof(*d));
	d->eth = cursor_take(c, sizeof(*d->eth));
	if (!d->eth)
		return false;
	switch (d->eth->h_proto) {
	case bpf_htons(ETH_P_IP):
		if (!parse_ipv4(c, d))
			return false;
		break;
	case bpf_htons(ETH_P_IPV6):
		if (!parse_ipv6(c, d))
			return false;
		break;
	default:
		return false;
	}
	if (d->udp_room < sizeof(*d->udp))
		return false;
	d->udp = cursor_take(c, sizeof(*d->udp));
	if (!d->udp || !d->udp->source)
		return false;
	d->to.port = d->udp->dest;
	return true;
}

#endif
