/* SPDX-License-Identifier: MIT */
/* segments.c - see segments.h. */
#include "segments.h"

#include <netinet/in.h>
#include <string.h>

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static unsigned folded(const uint8_t *p, size_t n, unsigned long sum)
{
	for (size_t i = 0; i < n; i++)
		sum += i % 2 ? p[i] : (unsigned)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (unsigned)sum;
}

static unsigned pseudo(const uint8_t *packet, size_t l4_len, bool udp)
{
	unsigned long sum = l4_len + (udp ? IPPROTO_UDP : IPPROTO_TCP);

	return packet[0] >> 4 == 6 ? folded(packet + 8, 32, sum) : folded(packet + 12, 8, sum);
}

static size_t ip_len(bool v6)
{
	return v6 ? 40 : 20;
}

size_t segment_header_len(const struct segment *s)
{
	return ip_len(s->v6) + (s->udp ? 8 : 20u + s->options);
}

static void build_ip(const struct segment *s, uint8_t *out, size_t len)
{
	if (s->v6) {
		out[0] = (uint8_t)(0x60 | s->tos >> 4);
		out[1] = (uint8_t)(s->tos << 4);
		put16(out + 4, (unsigned)len - 40);
		out[6] = s->udp ? IPPROTO_UDP : IPPROTO_TCP;
		out[7] = s->ttl;
		out[8] = out[24] = 0xfd;
		out[23] = out[39] = s->host;
		out[38] = 1;
		return;
	}
	out[0] = 0x45;
	out[1] = s->tos;
	put16(out + 2, (unsigned)len);
	put16(out + 4, s->id);
	out[6] = s->df ? 0x40 : 0;
	out[8] = s->ttl;
	out[9] = s->udp ? IPPROTO_UDP : IPPROTO_TCP;
	out[12] = out[16] = 10;
	out[15] = out[19] = s->host;
	out[18] = 1;
	put16(out + 10, ~folded(out, 20, 0) & 0xffff);
}

size_t segment_build(const struct segment *s, uint8_t *out)
{
	size_t header = segment_header_len(s), len = header + s->payload, l4_len;
	uint8_t *l4 = out + ip_len(s->v6);
	unsigned check;

	memset(out, 0, header);
	build_ip(s, out, len);
	l4_len = len - ip_len(s->v6);
	put16(l4, s->port);
	put16(l4 + 2, 5001);
	if (s->udp) {
		put16(l4 + 4, (unsigned)l4_len);
	} else {
		put32(l4 + 4, s->seq);
		put32(l4 + 8, s->ack);
		l4[12] = (uint8_t)((20 + s->options) / 4 << 4);
		l4[13] = s->flags;
		put16(l4 + 14, s->window);
		put16(l4 + 18, s->urgent);
		memset(l4 + 20, s->option_fill, s->options);
	}
	for (unsigned i = 0; i < s->payload; i++)
		out[header + i] = (uint8_t)(s->fill + i);
	check = ~folded(l4, l4_len, pseudo(out, l4_len, s->udp)) & 0xffff;
	put16(l4 + (s->udp ? 6 : 16), s->udp && !check ? 0xffff : check);
	return len;
}

void segment_leave_checksum(const struct segment *s, uint8_t *packet, size_t len, uint16_t size,
			    struct virtio_net_hdr *vnet)
{
	size_t l4 = ip_len(s->v6);

	*vnet = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = s->udp  ? VIRTIO_NET_HDR_GSO_UDP_L4
			    : s->v6 ? VIRTIO_NET_HDR_GSO_TCPV6
				    : VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = (uint16_t)segment_header_len(s),
		.gso_size = size,
		.csum_start = (uint16_t)l4,
		.csum_offset = s->udp ? 6 : 16,
	};
	put16(packet + l4 + vnet->csum_offset, pseudo(packet, len - l4, s->udp));
}

struct segment segment_cut(const struct segment *s, uint16_t size, unsigned i)
{
	unsigned before = size * i;
	struct segment cut = *s;
	bool last = before + size >= s->payload;

	cut.payload = last ? (uint16_t)(s->payload - before) : size;
	cut.fill = (uint8_t)(s->fill + before);
	cut.id = (uint16_t)(s->id + i);
	cut.seq = s->seq + before;
	if (i)
		cut.flags &= 0x7f; /* clears CWR */
	if (!last)
		cut.flags &= 0xf6; /* clears FIN and PSH */
	return cut;
}

bool segment_checksums_right(const uint8_t *packet, size_t len, bool udp)
{
	bool v6 = packet[0] >> 4 == 6;
	size_t l4 = ip_len(v6);

	return (v6 || folded(packet, 20, 0) == 0xffff) &&
	       folded(packet + l4, len - l4, pseudo(packet, len - l4, udp)) == 0xffff;
}
