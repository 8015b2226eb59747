/* SPDX-License-Identifier: MIT */
/*
 * fuzz_gro.c - merges a batch of packets from a few flows. Most packets continue their flow.
 * Segmenting the merged packets must yield the original packets, in order within each flow. The
 * batch also holds packets of random bytes, which must never be read beyond their end.
 */
#include "path/gro.h"

#include <stdlib.h>
#include <string.h>

#include "path/gso.h"

#include "../unit/segments.h"

#include "fuzz_main.h"

#define FLOWS 8

static struct gro gro;
static uint8_t *packets[FRAME_BATCH];
static unsigned flow_of[FRAME_BATCH], count;

static void add(const uint8_t *bytes, size_t len, unsigned flow)
{
	packets[count] = malloc(len); /* the exact size, so that ASan sees a read beyond it */
	memcpy(packets[count], bytes, len);
	flow_of[count] = flow;
	gro_add(&gro, packets[count], (uint32_t)len, flow / 4);
	count++;
}

/* Makes an IP packet whose header gives its true length and whose other bytes are random. */
static void add_anything(const uint8_t *data, size_t size)
{
	uint8_t bytes[256] = { 0 };
	size_t len = size < 40 ? 40 : size > sizeof(bytes) ? sizeof(bytes) : size;

	memcpy(bytes, data, size < len ? size : len);
	if (bytes[0] & 1) {
		bytes[0] = (uint8_t)(0x40 | bytes[0] >> 4);
		bytes[2] = (uint8_t)(len >> 8);
		bytes[3] = (uint8_t)len;
	} else {
		bytes[0] = 0x60;
		bytes[4] = 0;
		bytes[5] = (uint8_t)(len - 40);
	}
	add(bytes, len, FLOWS);
}

/* Changes @s so that it usually does not continue its flow. */
static void disturb(struct segment *s, uint8_t how)
{
	switch (how & 15) {
	case 0:
		s->flags ^= 0x08;
		break;
	case 1:
		s->flags = how;
		break;
	case 2:
		s->payload = (uint16_t)(how >> 4);
		break;
	case 3:
		s->seq += how;
		break;
	case 4:
		s->ack++;
		break;
	case 5:
		s->window--;
		break;
	case 6:
		s->tos ^= 3;
		break;
	case 7:
		s->ttl++;
		break;
	case 8:
		s->id += how;
		break;
	case 9:
		s->df = !s->df;
		break;
	case 10:
		s->option_fill++;
		break;
	case 11:
		s->options = (uint8_t)((how >> 4) % 11 * 4);
		break;
	case 12:
		s->payload = 65000;
		break;
	default:
		break;
	}
}

static void add_next(struct segment *s, unsigned flow, uint8_t how, bool disturbed, bool wrong)
{
	static uint8_t bytes[SEGMENT_MAX];
	size_t len;

	if (disturbed)
		disturb(s, how);
	if (s->udp)
		s->options = 0;
	if (s->payload + segment_header_len(s) > SEGMENT_MAX)
		s->payload = 500;
	len = segment_build(s, bytes);
	if (wrong)
		bytes[len - 1 - how % (len - 20)] ^= 0x40;
	add(bytes, len, flow);
	s->seq += s->payload;
	s->id++;
	s->fill++;
	if (disturbed && s->payload < 100)
		s->payload = 500;
}

static void check_group(const struct gro_group *group)
{
	static uint8_t merged[SEGMENT_MAX + 1], cut[SEGMENT_MAX];
	struct iovec iov[GRO_IOV_MAX];
	struct gro_head head;
	uint32_t len = 0, k = 0;
	unsigned n;
	struct gso g;

	n = gro_build(&gro, group, &head, iov);
	iov[0].iov_base = head.headers;
	iov[0].iov_len -= sizeof(head.vnet);
	for (unsigned i = 0; i < n; len += (uint32_t)iov[i++].iov_len) {
		if (len + iov[i].iov_len > SEGMENT_MAX)
			abort();
		memcpy(merged + len, iov[i].iov_base, iov[i].iov_len);
	}
	if (!gso_parse(&g, &head.vnet, merged, len) || g.segments != group->count)
		abort();
	for (uint16_t i = group->first; i != GRO_NONE; i = gro.packets[i].next, k++) {
		const struct gro_packet *p = &gro.packets[i];

		gso_write(&g, merged, k, cut);
		if (!p->v6 && p->ip[6] & 0x40) { /* with DF the ID has no meaning, RFC 6864 */
			memcpy(cut + 4, p->ip + 4, 2);
			memcpy(cut + 10, p->ip + 10, 2);
		}
		if (gso_segment_len(&g, k) != p->len || memcmp(cut, p->ip, p->len) != 0)
			abort();
	}
}

static void check(void)
{
	unsigned last[FLOWS + 1] = { 0 }, seen = 0;

	for (unsigned i = 0; i < gro.group_count; i++) {
		const struct gro_group *group = &gro.groups[i];

		if (group->count > 1)
			check_group(group);
		for (uint16_t p = group->first; p != GRO_NONE; p = gro.packets[p].next, seen++) {
			unsigned *flow = &last[flow_of[p]];

			if (flow_of[p] < FLOWS && p + 1u <= *flow)
				abort(); /* the flow's packets are out of order */
			*flow = p + 1u;
		}
	}
	if (seen != count)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct segment flows[FLOWS];

	gro_begin(&gro, true, true);
	count = 0;
	for (unsigned i = 0; i < FLOWS; i++)
		flows[i] = (struct segment){
			.v6 = i & 1,
			.udp = i & 2,
			.host = (uint8_t)(i / 4),
			.df = i & 4,
			.ttl = 64,
			.flags = 0x10,
			.options = i & 2 ? 0 : 12,
			.window = 100,
			.port = (uint16_t)i,
			.payload = 500,
		};
	for (size_t at = 0; at + 2 <= size && count < FRAME_BATCH; at += 2) {
		uint8_t what = data[at] >> 3;

		if (what == 31)
			add_anything(data + at, size - at);
		else
			add_next(&flows[data[at] % FLOWS], data[at] % FLOWS, data[at + 1],
				 what >= 27, what == 26);
	}
	check();
	while (count)
		free(packets[--count]);
	return 0;
}
