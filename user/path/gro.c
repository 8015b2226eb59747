/* SPDX-License-Identifier: MIT */
/* gro.c - see gro.h. */
#include "path/gro.h"

#include <netinet/in.h>
#include <stddef.h>

#include "path/offsets.h"
#include "util/inetsum.h"

#define PACKET_MAX 65535    /* the most bytes of a merged IP packet */
#define UDP_SEGMENTS_MAX 64 /* Linux before 6.9 refuses more */
#define DF 0x40		    /* flag in the first byte of the fragment field */
#define MORE_OR_OFFSET 0xbf /* all bits of that byte except DF */

void gro_begin(struct gro *g, bool tcp, bool udp)
{
	g->tcp = tcp;
	g->udp = udp;
	g->packet_count = g->group_count = 0;
	memset(g->flows, 0xff, sizeof(g->flows)); /* GRO_NONE */
}

/* Finds the headers of a plain TCP or UDP packet: no IP options, no fragment, no extension
 * headers. */
static void read_headers(struct gro_packet *p)
{
	const uint8_t *ip = p->ip;
	uint32_t l4_len;
	uint8_t protocol;

	p->v6 = ip[0] >> 4 == 6;
	p->l4 = p->v6 ? IP6_LEN : IP4_LEN;
	p->header_len = 0;
	if (p->v6) {
		protocol = ip[IP6_NEXT];
	} else {
		if (ip[0] != 0x45 || ip[IP4_FRAGMENT] & MORE_OR_OFFSET || ip[IP4_FRAGMENT + 1])
			return;
		protocol = ip[IP4_PROTOCOL];
	}
	p->udp = protocol == IPPROTO_UDP;
	if (!p->udp && protocol != IPPROTO_TCP)
		return;
	l4_len = p->udp ? UDP_LEN : TCP_LEN;
	if (p->len < p->l4 + l4_len)
		return;
	if (!p->udp)
		l4_len = (uint32_t)(ip[p->l4 + TCP_DATA_OFFSET] >> 4) * 4;
	if (l4_len >= TCP_LEN || p->udp)
		p->header_len = (uint16_t)(p->l4 + l4_len);
	if (p->len < p->header_len)
		p->header_len = 0;
}

/* Returns true if the packet may be merged, provided that its checksum is right. */
static bool mergeable(const struct gro *g, const struct gro_packet *p)
{
	const uint8_t *l4 = p->ip + p->l4;

	if (p->len == p->header_len)
		return false;
	if (p->udp)
		return g->udp && raw_get16(l4 + UDP_CHECK) &&
		       ntohs(raw_get16(l4 + UDP_LENGTH)) == p->len - p->l4;
	return g->tcp && (l4[TCP_FLAGS] & ~FLAG_PSH) == FLAG_ACK;
}

static uint64_t pseudo_sum(const struct gro_packet *p, uint32_t l4_len)
{
	uint64_t sum =
		htons(p->udp ? IPPROTO_UDP : IPPROTO_TCP) + (uint64_t)htons((uint16_t)l4_len);

	return p->v6 ? inetsum_add(p->ip + IP6_SOURCE, 32, sum)
		     : inetsum_add(p->ip + IP4_SOURCE, 8, sum);
}

static bool checksums_right(const struct gro_packet *p)
{
	uint32_t l4_len = p->len - p->l4;

	if (!p->v6 && inetsum_fold(inetsum_add(p->ip, IP4_LEN, 0)) != 0xffff)
		return false;
	return inetsum_fold(inetsum_add(p->ip + p->l4, l4_len, pseudo_sum(p, l4_len))) == 0xffff;
}

static unsigned hash_flow(const struct gro_packet *p)
{
	const uint8_t *ip = p->ip;
	uint32_t h = raw_get_be32(ip + p->l4); /* ports */

	h ^= raw_get_be32(ip + (p->v6 ? IP6_SOURCE + 12 : IP4_SOURCE));
	h ^= raw_get_be32(ip + (p->v6 ? IP6_DESTINATION + 12 : IP4_DESTINATION)) * 3;
	return h * 0x9e3779b1u >> 26 & (GRO_FLOWS - 1);
}

/* Returns true if the headers are equal in all fields that are the same in every segment of one
 * packet. */
static bool same_headers(const struct gro_packet *a, const struct gro_packet *b)
{
	const uint8_t *x = a->ip, *y = b->ip;

	if (a->slot != b->slot || a->v6 != b->v6 || a->udp != b->udp ||
	    a->header_len != b->header_len)
		return false;
	if (a->v6) {
		if (memcmp(x, y, IP6_PAYLOAD) || memcmp(x + IP6_NEXT, y + IP6_NEXT, 2 + 32))
			return false;
	} else if (memcmp(x, y, IP4_TOTAL) || memcmp(x + IP4_FRAGMENT, y + IP4_FRAGMENT, 4) ||
		   memcmp(x + IP4_SOURCE, y + IP4_SOURCE, 8)) {
		return false;
	}
	x += a->l4;
	y += b->l4;
	if (memcmp(x, y, 4)) /* ports */
		return false;
	return a->udp || (!memcmp(x + TCP_ACK, y + TCP_ACK, 5) && /* ACK, data offset */
			  !memcmp(x + TCP_WINDOW, y + TCP_WINDOW, 2) &&
			  !memcmp(x + TCP_URGENT, y + TCP_URGENT,
				  (size_t)(a->header_len - a->l4 - TCP_URGENT)));
}

/* Returns true if @p fits into the group and segmenting the merged packet would restore @p
 * exactly. */
static bool continues(const struct gro *g, const struct gro_group *group,
		      const struct gro_packet *p)
{
	const struct gro_packet *first = &g->packets[group->first];
	uint32_t payload = p->len - p->header_len;

	if (!same_headers(first, p) || payload > group->size ||
	    group->total + payload > PACKET_MAX || (p->udp && group->count == UDP_SEGMENTS_MAX))
		return false;
	if (!p->v6 && !(first->ip[IP4_FRAGMENT] & DF) &&
	    ntohs(raw_get16(p->ip + IP4_ID)) !=
		    (uint16_t)(ntohs(raw_get16(first->ip + IP4_ID)) + group->count))
		return false;
	return p->udp || raw_get_be32(p->ip + p->l4 + TCP_SEQ) ==
				 raw_get_be32(first->ip + first->l4 + TCP_SEQ) +
					 (group->total - first->header_len);
}

static bool ends_group(const struct gro_packet *p)
{
	return !p->udp && p->ip[p->l4 + TCP_FLAGS] & FLAG_PSH;
}

/* Appends packet @i to @group and returns true, or returns false if the two cannot be merged. */
static bool join(struct gro *g, struct gro_group *group, uint16_t i)
{
	struct gro_packet *p = &g->packets[i];
	uint32_t payload = p->len - p->header_len;

	if (!group->open || !continues(g, group, p))
		return false;
	if (!group->verified && !checksums_right(&g->packets[group->first])) {
		group->open = false;
		return false;
	}
	group->verified = true;
	if (!checksums_right(p))
		return false;
	g->packets[group->last].next = i;
	group->last = i;
	group->count++;
	group->total += payload;
	group->open = payload == group->size && !ends_group(p);
	return true;
}

void gro_add(struct gro *g, uint8_t *ip, uint32_t len, uint32_t slot)
{
	uint16_t i = (uint16_t)g->packet_count++, *newest;
	struct gro_packet *p = &g->packets[i];
	bool open = false;

	*p = (struct gro_packet){ .ip = ip, .len = len, .slot = slot, .next = GRO_NONE };
	read_headers(p);
	if (p->header_len) {
		newest = &g->flows[hash_flow(p)];
		open = mergeable(g, p);
		if (open && *newest != GRO_NONE && join(g, &g->groups[*newest], i))
			return;
		*newest = (uint16_t)g->group_count;
	} else {
		/* The flow of this packet (a fragment, for example) is unknown. End all groups, so
		 * that no later packet of the same flow is written before this packet. */
		memset(g->flows, 0xff, sizeof(g->flows));
	}
	g->groups[g->group_count++] = (struct gro_group){
		.first = i,
		.last = i,
		.count = 1,
		.size = (uint16_t)(len - p->header_len),
		.open = open && !ends_group(p),
		.total = len,
	};
}

/* Copies the headers of the first packet to @header and adapts them to the merged packet. */
static void write_headers(const struct gro *g, const struct gro_group *group, uint8_t *header)
{
	const struct gro_packet *first = &g->packets[group->first],
				*last = &g->packets[group->last];
	uint32_t l4_len = group->total - first->l4;
	uint8_t *l4 = header + first->l4;

	memcpy(header, first->ip, first->header_len);
	if (first->v6) {
		raw_put16(header + IP6_PAYLOAD, htons((uint16_t)(group->total - IP6_LEN)));
	} else {
		raw_put16(header + IP4_TOTAL, htons((uint16_t)group->total));
		raw_put16(header + IP4_CHECK, 0);
		raw_put16(header + IP4_CHECK,
			  (uint16_t)~inetsum_fold(inetsum_add(header, IP4_LEN, 0)));
	}
	/* The checksum field holds the sum over the pseudo header; the kernel adds the rest. */
	if (first->udp) {
		raw_put16(l4 + UDP_LENGTH, htons((uint16_t)l4_len));
		raw_put16(l4 + UDP_CHECK, inetsum_fold(pseudo_sum(first, l4_len)));
	} else {
		l4[TCP_FLAGS] |= last->ip[last->l4 + TCP_FLAGS] & FLAG_PSH;
		raw_put16(l4 + TCP_CHECK, inetsum_fold(pseudo_sum(first, l4_len)));
	}
}

unsigned gro_build(const struct gro *g, const struct gro_group *group, struct gro_head *head,
		   struct iovec iov[static GRO_IOV_MAX])
{
	const struct gro_packet *p = &g->packets[group->first];
	unsigned n = 0;

	head->vnet = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = p->udp  ? VIRTIO_NET_HDR_GSO_UDP_L4
			    : p->v6 ? VIRTIO_NET_HDR_GSO_TCPV6
				    : VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = p->header_len,
		.gso_size = group->size,
		.csum_start = p->l4,
		.csum_offset = p->udp ? UDP_CHECK : TCP_CHECK,
	};
	write_headers(g, group, head->headers);
	iov[n++] = (struct iovec){ head, offsetof(struct gro_head, headers) + p->header_len };
	for (uint16_t i = group->first; i != GRO_NONE; i = g->packets[i].next) {
		p = &g->packets[i];
		iov[n++] = (struct iovec){ p->ip + p->header_len, p->len - p->header_len };
	}
	return n;
}
