/* SPDX-License-Identifier: MIT */
/*
 * inner.h - reads the fields of an IPv4 or IPv6 header at any alignment: in packets inside the
 * tunnel, in outer packets, and in packets that an ICMP error quotes.
 *
 *   inner_family(packet, len) ─▶ AF_INET   len is at least 20: inner4_*() may read 20 bytes
 *                             ├▶ AF_INET6  len is at least 40: inner6_*() may read 40 bytes
 *                             └▶ 0         neither
 *
 * Nothing else is checked. The header length of IPv4 and the total lengths are returned as they are
 * in the packet, and may exceed the length of the packet.
 */
#ifndef WGXDP_INNER_H
#define WGXDP_INNER_H

#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INNER4_LEN sizeof(struct iphdr)	  /* without options */
#define INNER6_LEN sizeof(struct ip6_hdr) /* without extension headers */

static inline unsigned inner_version(const uint8_t *ip)
{
	return ip[0] >> 4;
}

static inline int inner_family(const uint8_t *ip, size_t len)
{
	if (len >= INNER4_LEN && inner_version(ip) == 4)
		return AF_INET;
	return len >= INNER6_LEN && inner_version(ip) == 6 ? AF_INET6 : 0;
}

static inline uint16_t inner_read16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* IPv4. Returns the header length including options: 0 to 60 bytes, unchecked. */
static inline size_t inner4_header_len(const uint8_t *ip)
{
	return (ip[0] & 15u) * 4;
}

static inline uint32_t inner4_total_len(const uint8_t *ip)
{
	return inner_read16(ip + offsetof(struct iphdr, tot_len));
}

static inline uint8_t inner4_protocol(const uint8_t *ip)
{
	return ip[offsetof(struct iphdr, protocol)];
}

static inline bool inner4_may_fragment(const uint8_t *ip)
{
	return !(inner_read16(ip + offsetof(struct iphdr, frag_off)) & IP_DF);
}

/* Returns true for a fragment other than the first. Such a fragment has no transport header. */
static inline bool inner4_is_later_fragment(const uint8_t *ip)
{
	return inner_read16(ip + offsetof(struct iphdr, frag_off)) & IP_OFFMASK;
}

static inline const uint8_t *inner4_source(const uint8_t *ip)
{
	return ip + offsetof(struct iphdr, saddr);
}

static inline const uint8_t *inner4_destination(const uint8_t *ip)
{
	return ip + offsetof(struct iphdr, daddr);
}

/* IPv6 */
static inline uint32_t inner6_total_len(const uint8_t *ip)
{
	return (uint32_t)INNER6_LEN + inner_read16(ip + offsetof(struct ip6_hdr, ip6_plen));
}

static inline uint8_t inner6_next(const uint8_t *ip)
{
	return ip[offsetof(struct ip6_hdr, ip6_nxt)];
}

static inline const uint8_t *inner6_source(const uint8_t *ip)
{
	return ip + offsetof(struct ip6_hdr, ip6_src);
}

static inline const uint8_t *inner6_destination(const uint8_t *ip)
{
	return ip + offsetof(struct ip6_hdr, ip6_dst);
}

/* Finds the transport header, which follows the IP header and the IPv6 extension headers. Sets
 * *@protocol to its type and *@at to its offset. Reads only the headers before it, so *@at may be
 * @len or more: the transport header need not be within the @len bytes. Returns false if the packet
 * is not IP, is a fragment other than the first, or is too short to show where the transport header
 * begins. */
bool inner_transport(const uint8_t *ip, size_t len, uint8_t *protocol, size_t *at);

/* Returns true if this fragment header (RFC 8200 4.5) belongs to a fragment other than the
 * first. */
static inline bool inner6_is_later_fragment(const uint8_t *fragment)
{
	return inner_read16(fragment + offsetof(struct ip6_frag, ip6f_offlg)) & 0xfff8;
}

#endif
