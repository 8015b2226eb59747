/* SPDX-License-Identifier: MIT */
/*
 * test_decap.c - parses frames that are built field by field. Valid frames give the expected
 * result, invalid frames are refused, and a truncated frame is never read beyond its end (ASan
 * detects such reads, because each copy has exactly the frame's length).
 */
#include "io/decap.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define PAYLOAD "payload!"
#define PAYLOAD_LEN 8

struct built {
	uint8_t bytes[256];
	uint32_t len, l3, udp;
};

static void put(struct built *b, const void *p, size_t n)
{
	memcpy(b->bytes + b->len, p, n);
	b->len += (uint32_t)n;
}

static void put_udp(struct built *b)
{
	b->udp = b->len;
	put(b, (uint8_t[]){ 0x9c, 0x40, 0xca, 0x6c, 0, 8 + PAYLOAD_LEN, 0, 0 }, 8);
	put(b, PAYLOAD, PAYLOAD_LEN);
}

static void put_ethernet(struct built *b, uint8_t high, uint8_t low)
{
	memset(b, 0, sizeof(*b));
	put(b, (uint8_t[]){ 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, high, low }, 14);
	b->l3 = b->len;
}

/* Builds an IPv4 frame with @options bytes of options. */
static struct built build_ipv4(uint8_t options)
{
	struct built b;

	put_ethernet(&b, 8, 0);
	put(&b,
	    (uint8_t[]){ (uint8_t)(0x40 | (5 + options / 4)),
			 0,
			 0,
			 (uint8_t)(20 + options + 8 + PAYLOAD_LEN),
			 0,
			 1,
			 0x40,
			 0,
			 64,
			 17,
			 0,
			 0,
			 10,
			 9,
			 0,
			 2,
			 10,
			 9,
			 0,
			 1 },
	    20);
	b.len += options;
	put_udp(&b);
	return b;
}

/* Builds an IPv6 frame with the extension headers @next, 8 bytes each. 17 (UDP) ends the list. */
static struct built build_ipv6(const uint8_t *next)
{
	static const uint8_t addresses[32] = { [0] = 0xfd, [15] = 2, [16] = 0xfd, [31] = 1 };
	struct built b;
	size_t n = 0;

	while (next[n] != IPPROTO_UDP)
		n++;
	put_ethernet(&b, 0x86, 0xdd);
	put(&b, (uint8_t[]){ 0x60, 0, 0, 0, 0, (uint8_t)(8 * n + 8 + PAYLOAD_LEN), next[0], 64 },
	    8);
	put(&b, addresses, sizeof(addresses));
	for (size_t i = 0; i < n; i++)
		put(&b, (uint8_t[8]){ next[i + 1] }, 8);
	put_udp(&b);
	return b;
}

/* Parses a copy on the heap with the exact length, so that ASan finds an access beyond it. */
static bool parse(const struct built *b, uint32_t len, struct rx_frame *out, uint8_t **copy)
{
	*copy = malloc(len ?: 1);
	assert_non_null(*copy);
	memcpy(*copy, b->bytes, len);
	return decap_parse(*copy, len, out);
}

static bool parses(const struct built *b, uint32_t len)
{
	struct rx_frame out;
	uint8_t *copy;
	bool found = parse(b, len, &out, &copy);

	free(copy);
	return found;
}

static void assert_found(const struct built *b, uint32_t len, unsigned family)
{
	unsigned source = b->l3 + (family == AF_INET ? 12 : 8);
	unsigned size = family == AF_INET ? 4 : 16;
	struct rx_frame out;
	uint8_t *copy;

	assert_true(parse(b, len, &out, &copy));
	assert_int_equal(out.family, family);
	assert_int_equal(out.len, PAYLOAD_LEN);
	assert_memory_equal(out.payload, PAYLOAD, PAYLOAD_LEN);
	assert_ptr_equal(out.payload, copy + b->udp + 8);
	assert_ptr_equal(out.l3, copy + b->l3);
	assert_ptr_equal(out.source, copy + source);
	assert_ptr_equal(out.destination, copy + source + size);
	assert_int_equal(out.source_port, htons(40000));
	free(copy);
}

static const uint8_t no_extension[] = { 17 }, all_extensions[] = { 0, 60, 43, 60, 17 },
		     most_extensions[] = { 60, 60, 60, 60, 60, 60, 60, 60, 17 },
		     too_many[] = { 60, 60, 60, 60, 60, 60, 60, 60, 60, 17 },
		     fragment[] = { 44, 17 }, authentication[] = { 51, 17 };

static void good_frames(void **state)
{
	struct built b;

	(void)state;
	for (uint8_t options = 0; options <= 40; options += 4) {
		b = build_ipv4(options);
		assert_found(&b, b.len, AF_INET);
		assert_found(&b, b.len + 18, AF_INET); /* padding of a short frame */
	}
	b = build_ipv6(no_extension);
	assert_found(&b, b.len, AF_INET6);
	assert_found(&b, b.len + 6, AF_INET6);
	b = build_ipv6(all_extensions);
	assert_found(&b, b.len, AF_INET6);
	b = build_ipv6(most_extensions);
	assert_found(&b, b.len, AF_INET6);
}

static void classes(void **state)
{
	(void)state;
	for (unsigned tclass = 0; tclass < 256; tclass++) {
		for (unsigned v6 = 0; v6 < 2; v6++) {
			struct built b = v6 ? build_ipv6(no_extension) : build_ipv4(0);
			struct rx_frame out;
			uint8_t *copy;

			b.bytes[b.l3] |= v6 ? (uint8_t)(tclass >> 4) : 0;
			b.bytes[b.l3 + 1] = (uint8_t)(v6 ? tclass << 4 | 0xf : tclass);
			assert_true(parse(&b, b.len, &out, &copy));
			assert_int_equal(out.tclass, tclass);
			free(copy);
		}
	}
}

static void refused_extensions(void **state)
{
	const uint8_t *const lists[] = { too_many, fragment, authentication };

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct built b = build_ipv6(lists[i]);

		assert_false(parses(&b, b.len));
	}
}

static void every_prefix_is_too_short(void **state)
{
	const struct built frames[] = { build_ipv4(0), build_ipv4(40), build_ipv6(no_extension),
					build_ipv6(all_extensions) };

	(void)state;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		for (uint32_t len = 0; len < frames[i].len; len++)
			assert_false(parses(&frames[i], len));
}

/* Each row changes one byte, at an offset from the start of the frame. */
static void single_damages(void **state)
{
	static const struct {
		bool v6;
		unsigned at;
		uint8_t value;
		bool good;
	} table[] = {
		{ false, 12, 0x81, false },		   /* VLAN */
		{ false, 14, 0x65, false },		   /* version 6 in an IPv4 frame */
		{ false, 14, 0x44, false },		   /* header of 16 bytes */
		{ false, 14, 0x4f, false },		   /* header longer than the packet */
		{ false, 16, 1, false },		   /* total length beyond the frame */
		{ false, 17, 19, false },		   /* total length below the header */
		{ false, 17, 27, false },		   /* no room for UDP */
		{ false, 17, 35, false },		   /* one byte less than the UDP length */
		{ false, 20, 0x20, false },		   /* more fragments */
		{ false, 21, 1, false },		   /* a later fragment */
		{ false, 20, 0x00, true },		   /* DF off */
		{ false, 23, 6, false },		   /* TCP */
		{ false, 39, 7, false },		   /* UDP length below its header */
		{ false, 39, 8 + PAYLOAD_LEN + 1, false }, /* UDP length beyond the packet */
		{ false, 39, 8, true }, /* an empty datagram; the rest is padding */
		{ true, 14, 0x40, false },
		{ true, 18, 1, false }, /* payload length beyond the frame */
		{ true, 19, 8 + PAYLOAD_LEN - 1, false },
		{ true, 19, 0, false },	 /* a jumbogram, or an empty packet */
		{ true, 20, 59, false }, /* no next header */
		{ true, 59, 8 + PAYLOAD_LEN + 1, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct built b = table[i].v6 ? build_ipv6(no_extension) : build_ipv4(0);

		b.bytes[table[i].at] = table[i].value;
		if (parses(&b, b.len) != table[i].good)
			fail_msg("row %zu", i);
	}
}

static void an_extension_longer_than_the_packet(void **state)
{
	struct built b = build_ipv6(all_extensions);

	(void)state;
	b.bytes[b.l3 + 40 + 1] = 255;
	assert_false(parses(&b, b.len));
}

static void failure_leaves_the_frame_alone(void **state)
{
	struct built b = build_ipv4(0);
	struct rx_frame out, before;
	uint8_t *copy;

	(void)state;
	memset(&out, 0x5a, sizeof(out));
	before = out;
	assert_false(parse(&b, b.len - 1, &out, &copy));
	assert_memory_equal(&out, &before, sizeof(out));
	free(copy);
}

/* The parser never reads beyond a damaged frame, and its result lies within the frame. */
static void random_frames(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < 200000; round++) {
		struct built b = round % 2 ? build_ipv6(all_extensions) : build_ipv4(8);
		uint32_t len = (uint32_t)rand() % (b.len + 1);
		struct rx_frame out;
		uint8_t *copy;

		for (int damage = rand() % 4; damage > 0; damage--)
			b.bytes[(uint32_t)rand() % b.len] = (uint8_t)rand();
		if (parse(&b, len, &out, &copy)) {
			assert_true(out.payload >= copy + 42);
			assert_true(out.payload + out.len <= copy + len);
		}
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_frames),
		cmocka_unit_test(classes),
		cmocka_unit_test(refused_extensions),
		cmocka_unit_test(every_prefix_is_too_short),
		cmocka_unit_test(single_damages),
		cmocka_unit_test(an_extension_longer_than_the_packet),
		cmocka_unit_test(failure_leaves_the_frame_alone),
		cmocka_unit_test(random_frames),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
