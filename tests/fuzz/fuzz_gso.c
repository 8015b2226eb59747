/* SPDX-License-Identifier: MIT */
/*
 * fuzz_gso.c - segments a packet as its vnet header says; both are arbitrary bytes. Nothing beyond
 * the packet may be read or written. A valid TCP or UDP packet must be cut into the same segments
 * as by the simple reference code in tests/unit/segments.c.
 */
#include "path/gso.h"

#include <stdlib.h>
#include <string.h>

#include "../unit/segments.h"

#include "fuzz_main.h"

#define SEGMENTS_SHOWN 200

static void write_all(const struct gso *g, const uint8_t *packet)
{
	for (uint32_t i = 0; i < g->segments && i < SEGMENTS_SHOWN; i++) {
		uint32_t len = gso_segment_len(g, i);
		uint8_t *out = malloc(len);

		if (!len || len > g->len)
			abort();
		gso_write(g, packet, i, out);
		free(out);
	}
}

static void as_anything(const uint8_t *data, size_t size)
{
	struct virtio_net_hdr vnet;
	uint32_t len = (uint32_t)(size - sizeof(vnet));
	uint8_t *packet = malloc(len);
	struct gso g;

	memcpy(&vnet, data, sizeof(vnet));
	memcpy(packet, data + sizeof(vnet), len);
	if (gso_parse(&g, &vnet, packet, len) && g.segments > 1)
		write_all(&g, packet);
	free(packet);
}

static void as_packet(const uint8_t *data, size_t size)
{
	static uint8_t packet[SEGMENT_MAX], expected[SEGMENT_MAX], got[SEGMENT_MAX];
	struct virtio_net_hdr vnet;
	struct segment s, cut;
	uint16_t cut_size;
	struct gso g;
	size_t len;

	memcpy(&s, data, sizeof(s) < size ? sizeof(s) : size);
	s.v6 = data[0] & 1;
	s.udp = data[0] & 2;
	s.df = data[0] & 4;
	s.options = (uint8_t)(data[1] % 11 * 4);
	s.payload = (uint16_t)(1 + s.payload % 60000);
	cut_size = (uint16_t)(1 + (data[2] | data[3] << 8) % 2000);
	len = segment_build(&s, packet);
	segment_leave_checksum(&s, packet, len, cut_size, &vnet);
	if (!gso_parse(&g, &vnet, packet, (uint32_t)len) ||
	    g.segments != (s.payload + cut_size - 1u) / cut_size)
		abort();
	for (uint32_t i = 0; i < g.segments && i < SEGMENTS_SHOWN; i++) {
		cut = segment_cut(&s, cut_size, i);
		if (gso_segment_len(&g, i) != segment_build(&cut, expected))
			abort();
		if (g.segments > 1)
			gso_write(&g, packet, i, got);
		if (memcmp(g.segments > 1 ? got : packet, expected, gso_segment_len(&g, i)) != 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < sizeof(struct virtio_net_hdr))
		return 0;
	as_anything(data, size);
	if (size >= sizeof(struct segment))
		as_packet(data, size);
	return 0;
}
