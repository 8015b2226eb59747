/* SPDX-License-Identifier: MIT */
/*
 * fuzz_inner.c - parses any bytes as an inner packet in three ways: a peer has sent the packet
 * (does the source belong to this peer?), the packet cannot be delivered (which ICMP error answers
 * it?), or NAT has translated the packet (to which flow does it belong?).
 */
#include "path/icmp.h"
#include "sync/icmp_sender.h"

#include "path/ingress.c" /* NOLINT(bugprone-suspicious-include) */

#include <stdlib.h>

#include "fuzz_main.h"

static struct allowedips *allowed;
static struct allowedips_list lists[2];
static struct peer peers[2];

static void retire(void *ctx, void *object, void (*free_fn)(void *object))
{
	(void)ctx;
	free_fn(object);
}

static void allow(unsigned peer, uint8_t family, uint8_t first, uint8_t length)
{
	struct prefix p = { .family = family, .length = length, .addr = { first } };

	if (allowedips_insert(allowed, &p, &peers[peer], &lists[peer]))
		abort();
}

/* [W] 2.1: a delivered packet has the length that its IP header says, and its source belongs to the
 * peer that sent it. */
static void as_received(const uint8_t *data, uint32_t size)
{
	uint8_t *payload = malloc(sizeof(struct wire_data) + size), *ip = payload + 16;
	struct rx_frame frame = { .payload = payload };
	struct session s = { .peer = &peers[0] };
	struct in_packet p = { .frame = &frame, .session = &s, .len = size };

	memcpy(ip, data, size);
	if (check_source(allowed, &p, NULL) == REASON_none) {
		if (!p.len || p.len > size)
			abort();
		if (ip[0] >> 4 == 4 ? ip[12] != 10 || p.len != ((uint32_t)ip[2] << 8 | ip[3])
				    : ip[8] != 0xfd)
			abort();
	}
	free(payload);
}

static uint16_t folded(const uint8_t *at, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? at[i] : (uint32_t)at[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* The ICMP error quotes the packet. An ICMPv4 error has a valid checksum. The kernel computes the
 * checksum of ICMPv6. */
static void as_unreachable(const uint8_t *data, size_t size)
{
	uint8_t out[ICMP_ERROR_MAX];
	size_t len = icmp_error(out, data, size, 0);

	if (icmp_answerable(data, size) != (len > 0))
		abort();
	if (!len)
		return;
	if (len < 8 || len > sizeof(out) || len - 8 > size)
		abort();
	if (data[0] >> 4 == 4 && (folded(out, len, 0) != 0xffff || data[12] >= 224))
		abort();
	if (memcmp(out + 8, data, len - 8) != 0)
		abort();
}

/* After NAT is undone, the packet can be parsed again. Nothing beyond the packet is accessed. */
static void as_translated(const uint8_t *data, size_t size)
{
	const struct conntrack_tuple other = { .source = { 1, 2, 3 }, .destination = { 9 } };
	struct conntrack_tuple own;
	uint8_t *p = malloc(size ? size : 1);

	memcpy(p, data, size);
	if (icmp_sender_tuple(p, size, &own)) {
		icmp_sender_undo_nat(p, size, &other);
		icmp_sender_undo_nat(p, size, &own);
		if (!icmp_sender_tuple(p, size, &(struct conntrack_tuple){ 0 }))
			abort();
	}
	free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!allowed) {
		allowed = allowedips_new(retire, NULL);
		allow(0, AF_INET, 10, 8);
		allow(0, AF_INET6, 0xfd, 8);
		allow(1, AF_INET, 10, 16); /* 10.0.0.0/16 belongs to another peer */
	}
	as_received(data, (uint32_t)size);
	as_unreachable(data, size);
	as_translated(data, size);
	return 0;
}
