/* SPDX-License-Identifier: MIT */
/* gso.c - see gso.h. */
#include "path/gso.h"

#include <netinet/in.h>

#include "path/offsets.h"
#include "util/inetsum.h"

static uint64_t pseudo_sum(const uint8_t *packet, bool v6, bool udp)
{
	uint64_t protocol = htons(udp ? IPPROTO_UDP : IPPROTO_TCP);

	return v6 ? inetsum_add(packet + IP6_SOURCE, 32, protocol)
		  : inetsum_add(packet + IP4_SOURCE, 8, protocol);
}

/* Completes the partial checksum of a packet that is not split. */
static bool finish_checksum(const struct virtio_net_hdr *vnet, uint8_t *packet, uint32_t len)
{
	uint32_t start = vnet->csum_start, at = start + vnet->csum_offset;
	uint16_t check;

	if (start > len || at + 2 > len)
		return false;
	check = (uint16_t)~inetsum_fold(inetsum_add(packet + start, len - start, 0));
	raw_put16(packet + at, check ? check : 0xffff); /* 0 means "no checksum" in UDP */
	return true;
}

/* Moves g->l4 past the IPv6 extension headers that may be copied to every segment, and sets
 * *@protocol to the type of the header after them. */
static bool skip_extensions(struct gso *g, const uint8_t *packet, uint8_t *protocol)
{
	while (*protocol == IPPROTO_HOPOPTS || *protocol == IPPROTO_ROUTING ||
	       *protocol == IPPROTO_DSTOPTS) {
		const uint8_t *extension = packet + g->l4;

		if (g->l4 + 8u > g->len)
			return false;
		*protocol = extension[0];
		g->l4 = (uint16_t)(g->l4 + (extension[1] + 1) * 8);
		if (g->l4 > GSO_HEADERS_MAX)
			return false;
	}
	return true;
}

/* Sets the version, the protocol, @l4 and @header_len of @g. Returns false if the headers do not
 * match the GSO type @type, do not fit the packet, or are longer than GSO_HEADERS_MAX. */
static bool read_headers(struct gso *g, uint8_t type, const uint8_t *packet)
{
	uint8_t protocol;

	g->v6 = g->len && packet[0] >> 4 == 6;
	g->udp = type == VIRTIO_NET_HDR_GSO_UDP_L4;
	if (g->v6) {
		if (g->len < IP6_LEN || type == VIRTIO_NET_HDR_GSO_TCPV4)
			return false;
		g->l4 = IP6_LEN;
		protocol = packet[IP6_NEXT];
		if (!skip_extensions(g, packet, &protocol))
			return false;
	} else {
		if (g->len < IP4_LEN || packet[0] >> 4 != 4 || type == VIRTIO_NET_HDR_GSO_TCPV6)
			return false;
		g->l4 = (uint16_t)((packet[0] & 15) * 4);
		protocol = packet[IP4_PROTOCOL];
		if (g->l4 < IP4_LEN)
			return false;
	}
	if (protocol != (g->udp ? IPPROTO_UDP : IPPROTO_TCP) ||
	    g->l4 + (uint32_t)(g->udp ? UDP_LEN : TCP_LEN) > g->len)
		return false;
	g->header_len =
		(uint16_t)(g->l4 + (g->udp ? UDP_LEN : packet[g->l4 + TCP_DATA_OFFSET] >> 4 << 2));
	return g->header_len >= g->l4 + (g->udp ? UDP_LEN : TCP_LEN) && g->header_len < g->len &&
	       g->header_len <= GSO_HEADERS_MAX;
}

/* Computes the partial sums that all segments share. @partial: the sum over the pseudo header of
 * the large packet. */
static void prepare_sums(struct gso *g, const uint8_t *packet, uint64_t partial)
{
	const uint8_t *l4 = packet + g->l4;
	/* Subtract the length in the pseudo header, which differs between the large packet and its
	 * segments. One's complement subtraction adds the complement. */
	uint64_t sum = partial + (uint16_t)~htons((uint16_t)(g->len - g->l4));

	if (g->udp) {
		g->l4_sum = inetsum_add(l4, UDP_LENGTH, sum);
	} else {
		sum = inetsum_add(l4, TCP_SEQ, sum);
		sum = inetsum_add(l4 + TCP_ACK, 4, sum);
		sum = inetsum_add(l4 + TCP_WINDOW, 2, sum);
		g->l4_sum = inetsum_add(l4 + TCP_URGENT, g->header_len - g->l4 - TCP_URGENT, sum);
	}
	if (!g->v6) {
		sum = inetsum_add(packet, IP4_TOTAL, 0);
		sum = inetsum_add(packet + IP4_FRAGMENT, 4, sum); /* flags, offset, TTL, protocol */
		g->ip_sum = inetsum_add(packet + IP4_SOURCE, g->l4 - IP4_SOURCE, sum);
	}
}

bool gso_parse(struct gso *g, const struct virtio_net_hdr *vnet, uint8_t *packet, uint32_t len)
{
	uint8_t type = vnet->gso_type;
	bool partial = vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
	uint16_t length;
	uint64_t sum;

	*g = (struct gso){ .len = len, .segments = 1 };
	if (type == VIRTIO_NET_HDR_GSO_NONE)
		return !partial || finish_checksum(vnet, packet, len);
	if (type != VIRTIO_NET_HDR_GSO_TCPV4 && type != VIRTIO_NET_HDR_GSO_TCPV6 &&
	    type != VIRTIO_NET_HDR_GSO_UDP_L4)
		return false;
	if (!vnet->gso_size || !read_headers(g, type, packet))
		return false;
	length = htons((uint16_t)(len - g->l4));
	sum = pseudo_sum(packet, g->v6, g->udp) + length;
	if (partial) {
		if (vnet->csum_start != g->l4 ||
		    vnet->csum_offset != (g->udp ? UDP_CHECK : TCP_CHECK))
			return false;
		sum = raw_get16(packet + vnet->csum_start + vnet->csum_offset);
	} else if (inetsum_fold(inetsum_add(packet + g->l4, len - g->l4, sum)) != 0xffff) {
		return false; /* wrong checksum; new checksums in the segments would hide it */
	}
	g->size = vnet->gso_size;
	g->segments = (len - g->header_len + g->size - 1u) / g->size;
	if (g->segments > 1)
		prepare_sums(g, packet, sum);
	else if (partial)
		return finish_checksum(vnet, packet, len);
	return true;
}

static void write_ip(const struct gso *g, uint32_t i, uint32_t len, uint8_t *out)
{
	uint16_t total, id;

	if (g->v6) {
		raw_put16(out + IP6_PAYLOAD, htons((uint16_t)(len - IP6_LEN)));
		return;
	}
	total = htons((uint16_t)len);
	id = htons((uint16_t)(ntohs(raw_get16(out + IP4_ID)) + i));
	raw_put16(out + IP4_TOTAL, total);
	raw_put16(out + IP4_ID, id);
	raw_put16(out + IP4_CHECK, (uint16_t)~inetsum_fold(g->ip_sum + total + id));
}

/* Writes the headers of segment @i, which has @len bytes, to @out. */
static void write_headers(const struct gso *g, const uint8_t *packet, uint32_t i, uint32_t len,
			  uint8_t *out)
{
	uint16_t l4_len = htons((uint16_t)(len - g->l4)), check;
	uint8_t *l4 = out + g->l4;
	uint64_t sum = g->l4_sum + l4_len;

	memcpy(out, packet, g->header_len);
	write_ip(g, i, len, out);
	if (g->udp) {
		raw_put16(l4 + UDP_LENGTH, l4_len);
		sum += l4_len;
	} else {
		raw_put_be32(l4 + TCP_SEQ, raw_get_be32(l4 + TCP_SEQ) + i * g->size);
		if (i)
			l4[TCP_FLAGS] &= (uint8_t)~FLAG_CWR;
		if (i + 1 < g->segments)
			l4[TCP_FLAGS] &= (uint8_t) ~(FLAG_FIN | FLAG_PSH);
		sum += (uint64_t)raw_get16(l4 + TCP_SEQ) + raw_get16(l4 + TCP_SEQ + 2) +
		       raw_get16(l4 + TCP_DATA_OFFSET);
	}
	sum = inetsum_add(packet + gso_shift(g, i) + g->header_len, len - g->header_len, sum);
	check = (uint16_t)~inetsum_fold(sum);
	raw_put16(l4 + (g->udp ? UDP_CHECK : TCP_CHECK), g->udp && !check ? 0xffff : check);
}

uint32_t gso_write_head(const struct gso *g, const uint8_t *packet, uint32_t i, uint8_t *out)
{
	uint32_t len = gso_segment_len(g, i);
	uint32_t head = (g->header_len + GSO_HEAD_STEP - 1u) & ~(GSO_HEAD_STEP - 1u);
	const uint8_t *from = packet + gso_shift(g, i);

	if (head > len)
		head = len;
	/* The bytes before the payload are copied, too, because a copy of constant length is fast.
	 * The headers then overwrite them. */
	if (head == GSO_HEAD_STEP)
		memcpy(out, from, GSO_HEAD_STEP);
	else
		memcpy(out, from, head);
	write_headers(g, packet, i, len, out);
	return head;
}

void gso_write(const struct gso *g, const uint8_t *packet, uint32_t i, uint8_t *out)
{
	uint32_t head = gso_write_head(g, packet, i, out);

	memcpy(out + head, packet + gso_shift(g, i) + head, gso_segment_len(g, i) - head);
}
