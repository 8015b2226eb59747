/* SPDX-License-Identifier: MIT */
/* test_icmp_sender.c - icmp_sender.c undoes the translation (NAT) of a packet. Afterwards the
 * packet's checksums are correct. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <string.h>

#include "sync/icmp_sender.h"
#include "util/inetsum.h"

enum { V4 = 20, V6 = 40, PAYLOAD = 24 };

static uint8_t packet[V6 + PAYLOAD];

static void put_sum(uint8_t *at, uint64_t sum)
{
	uint16_t folded = (uint16_t)~inetsum_fold(sum);

	memcpy(at, &folded, sizeof(folded));
}

/* Returns the sum over the bytes that the transport's checksum covers: 0xffff if the checksum is
 * right. */
static uint16_t transport_sum(uint8_t family, uint8_t protocol)
{
	size_t header = family == AF_INET ? V4 : V6, n = family == AF_INET ? 8 : 32;
	uint64_t sum = inetsum_add(packet + header, PAYLOAD, 0);

	if (protocol != IPPROTO_ICMP)
		sum = inetsum_add(packet + header - n, n, sum) + htons(protocol) + htons(PAYLOAD);
	return inetsum_fold(sum);
}

static size_t make(const struct conntrack_tuple *t, size_t checksum)
{
	size_t header = t->family == AF_INET ? V4 : V6, n = t->family == AF_INET ? 4 : 16;
	uint8_t *transport = packet + header;

	memset(packet, 0x3c, sizeof(packet));
	memset(packet, 0, header);
	packet[0] = t->family == AF_INET ? 0x45 : 0x60;
	packet[t->family == AF_INET ? 9 : 6] = t->protocol;
	memcpy(packet + header - 2 * n, t->source, n);
	memcpy(packet + header - n, t->destination, n);
	if (t->icmp_type) {
		transport[0] = t->icmp_type;
		memcpy(transport + 4, &t->id, 2);
	} else {
		memcpy(transport, &t->source_port, 2);
		memcpy(transport + 2, &t->destination_port, 2);
	}
	memset(transport + checksum, 0, 2);
	put_sum(transport + checksum, transport_sum(t->family, t->protocol));
	if (t->family == AF_INET)
		put_sum(packet + 10, inetsum_add(packet, V4, 0));
	return header + PAYLOAD;
}

static void test_undo(void **state)
{
	static const struct {
		uint8_t family, protocol, icmp_type;
		size_t checksum;
	} rows[] = {
		{ AF_INET, IPPROTO_TCP, 0, 16 }, { AF_INET, IPPROTO_UDP, 0, 6 },
		{ AF_INET, IPPROTO_ICMP, 8, 2 }, { AF_INET6, IPPROTO_TCP, 0, 16 },
		{ AF_INET6, IPPROTO_UDP, 0, 6 }, { AF_INET6, IPPROTO_ICMPV6, 128, 2 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conntrack_tuple after = {
			.family = rows[i].family,
			.protocol = rows[i].protocol,
			.source = { 10, 99, 0, 1 },
			.destination = { 10, 99, 0, 4 },
			.source_port = htons(40000),
			.icmp_type = rows[i].icmp_type,
		};
		struct conntrack_tuple before = after, got;
		size_t len;

		before.source[1] = 1;
		before.source[3] = 2;
		before.destination[2] = 7;
		before.source_port = htons(50001);
		if (!rows[i].icmp_type) {
			after.destination_port = htons(80);
			before.destination_port = htons(8080);
		}
		len = make(&after, rows[i].checksum);
		assert_true(icmp_sender_tuple(packet, len, &got));
		assert_memory_equal(&got, &after, sizeof(got));
		icmp_sender_undo_nat(packet, len, &before);
		assert_true(icmp_sender_tuple(packet, len, &got));
		assert_memory_equal(&got, &before, sizeof(got));
		assert_int_equal(transport_sum(rows[i].family, rows[i].protocol), 0xffff);
		if (rows[i].family == AF_INET)
			assert_int_equal(inetsum_fold(inetsum_add(packet, V4, 0)), 0xffff);
	}
}

static void test_no_checksum(void **state)
{
	struct conntrack_tuple t = { .family = AF_INET, .protocol = IPPROTO_UDP };
	struct conntrack_tuple before = { .family = AF_INET, .source = { 10, 1, 0, 2 } };
	size_t len = make(&t, 6);

	(void)state;
	memset(packet + V4 + 6, 0, 2);
	icmp_sender_undo_nat(packet, len, &before);
	assert_memory_equal(packet + 12, before.source, 4);
	assert_memory_equal(packet + V4 + 6, ((const uint8_t[]){ 0, 0 }), 2);
}

static void test_unreadable(void **state)
{
	struct conntrack_tuple t = { .family = AF_INET, .protocol = IPPROTO_UDP }, got;
	uint8_t copy[sizeof(packet)];

	(void)state;
	make(&t, 6);
	memcpy(copy, packet, sizeof(copy));
	for (size_t len = 0; len < V4 + 8; len++) {
		assert_false(icmp_sender_tuple(packet, len, &got));
		icmp_sender_undo_nat(packet, len, &t);
		assert_memory_equal(packet, copy, sizeof(copy));
	}
	packet[7] = 1; /* a later fragment */
	assert_false(icmp_sender_tuple(packet, V4 + PAYLOAD, &got));
	packet[7] = 0;
	packet[9] = IPPROTO_ESP;
	assert_false(icmp_sender_tuple(packet, V4 + PAYLOAD, &got));
	packet[9] = IPPROTO_ICMP;
	packet[V4] = 3; /* an ICMP error belongs to no conntrack flow of its own */
	assert_false(icmp_sender_tuple(packet, V4 + PAYLOAD, &got));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_undo),
		cmocka_unit_test(test_no_checksum),
		cmocka_unit_test(test_unreadable),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
