/* SPDX-License-Identifier: MIT */
/*
 * fuzz_frame.c - parses any bytes as a frame from AF_XDP. A datagram that is found must lie within
 * the frame. The fuzzer then builds a frame that carries the same payload back to the sender. The
 * parser must accept that frame and find the payload.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz_main.h"
#include "io/decap.h"
#include "io/encap.h"

static void require(bool what)
{
	if (!what)
		abort();
}

/* Builds a frame with the payload of @f and with source and destination swapped. */
static void send_back(const struct rx_frame *f)
{
	static const struct encap_hop hop = { .ifindex = 1, .source_port = 7, .ttl = 64 };
	struct endpoint to = frame_endpoint(f);
	struct encap *e = encap_new(&to, 0);
	uint8_t *frame = malloc(ENCAP_HEADER_MAX + f->len);
	struct rx_frame back;

	require(e && frame);
	encap_set_xsk_ok(e, &hop);
	memcpy(frame + e->header_len, f->payload, f->len);
	encap_write(e, frame + e->header_len, f->len, (uint16_t)f->len, f->tclass);
	require(decap_parse(frame, e->header_len + f->len, &back));
	require(back.family == f->family && back.len == f->len && back.source_port == 7);
	require(!memcmp(back.destination, f->source, f->family == AF_INET ? 4 : 16));
	require(!memcmp(back.payload, f->payload, f->len));
	require(encap_checksum_fits(back.l3, back.payload - 8));
	free(frame);
	free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *frame = malloc(size ? size : 1);
	struct rx_frame f;

	memcpy(frame, data, size);
	if (decap_parse(frame, (uint32_t)size, &f)) {
		require(f.payload >= frame && f.len <= size && f.payload + f.len <= frame + size);
		require(f.l3 > frame && f.l3 < f.payload);
		(void)encap_checksum_fits(f.l3, f.payload - 8);
		send_back(&f);
	}
	free(frame);
	return 0;
}
