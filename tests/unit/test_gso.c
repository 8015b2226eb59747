/* SPDX-License-Identifier: MIT */
/* test_gso.c - compares how gso.c and the plain code of segments.c cut large packets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "path/gso.h"
#include "segments.h"

static uint8_t packet[SEGMENT_MAX], expected[SEGMENT_MAX], got[SEGMENT_MAX + 1];

static const struct segment tcp4 = { .host = 2,
				     .tos = 2,
				     .ttl = 64,
				     .df = true,
				     .id = 0xfffe,
				     .port = 1234,
				     .seq = 0xffffff00,
				     .ack = 77,
				     .window = 500,
				     .flags = 0x99,
				     .options = 12,
				     .option_fill = 1,
				     .fill = 3 };

static void compare(struct segment s, uint16_t size)
{
	struct virtio_net_hdr vnet;
	size_t len = segment_build(&s, packet);
	uint32_t count = (s.payload + size - 1u) / size, total = 0;
	struct gso g;

	segment_leave_checksum(&s, packet, len, size, &vnet);
	vnet.hdr_len = (uint16_t)len; /* as in forwarded packets; gso_parse() must ignore hdr_len */
	assert_true(gso_parse(&g, &vnet, packet, (uint32_t)len));
	assert_int_equal(g.segments, count);
	for (unsigned i = 0; i < count; i++) {
		struct segment cut = segment_cut(&s, size, i);

		len = segment_build(&cut, expected);
		assert_int_equal(gso_segment_len(&g, i), len);
		got[len] = 0xa5;
		if (count > 1)
			gso_write(&g, packet, i, got);
		assert_memory_equal(count > 1 ? got : packet, expected, len);
		assert_int_equal(got[len], count > 1 ? 0xa5 : got[len]);
		total += cut.payload;
	}
	assert_int_equal(total, s.payload);
}

/* 1. Cuts TCP and UDP packets over IPv4 and IPv6. The payload is or is not a multiple of the
 * segment size, fits one segment, or is almost 64 KiB. The smallest segment has one byte. */
static void test_cut(void **state)
{
	static const uint16_t payloads[] = { 1, 2, 99, 100, 101, 1000, 5600, 65400 };
	static const uint16_t sizes[] = { 1, 2, 100, 101, 1368, 65000 };

	(void)state;
	for (unsigned kind = 0; kind < 4; kind++) {
		for (unsigned p = 0; p < sizeof(payloads) / sizeof(payloads[0]); p++) {
			for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
				struct segment s = tcp4;

				s.v6 = kind & 1;
				s.udp = kind & 2;
				s.options = s.udp ? 0 : 12;
				s.payload = payloads[p];
				compare(s, sizes[i]);
			}
		}
	}
}

/* 2. If the partial sum is wrong, every segment has a wrong checksum: the error is not
 * corrected. */
static void test_wrong_stays_wrong(void **state)
{
	struct segment s = tcp4;
	struct virtio_net_hdr vnet;
	struct gso g;
	size_t len;

	(void)state;
	s.payload = 5000;
	len = segment_build(&s, packet);
	segment_leave_checksum(&s, packet, len, 1000, &vnet);
	packet[20 + 16] ^= 1;
	assert_true(gso_parse(&g, &vnet, packet, (uint32_t)len));
	for (unsigned i = 0; i < g.segments; i++) {
		gso_write(&g, packet, i, got);
		assert_false(segment_checksums_right(got, gso_segment_len(&g, i), false));
	}
}

/* 3. A packet without a partial sum is refused unless its complete checksum is correct. */
static void test_complete_checksum(void **state)
{
	struct segment s = tcp4;
	struct virtio_net_hdr vnet;
	struct gso g;
	size_t len;

	(void)state;
	s.payload = 5000;
	len = segment_build(&s, packet);
	memcpy(expected, packet, len);
	segment_leave_checksum(&s, packet, len, 1000, &vnet);
	vnet.flags = 0;
	memcpy(packet, expected, len);
	assert_true(gso_parse(&g, &vnet, packet, (uint32_t)len));
	gso_write(&g, packet, 2, got);
	s = segment_cut(&s, 1000, 2);
	assert_memory_equal(got, expected, segment_build(&s, expected));
	packet[100] ^= 1;
	assert_false(gso_parse(&g, &vnet, packet, (uint32_t)len));
}

/* 4. If a packet is not cut, its checksum is completed, and nothing else changes. */
static void test_finish(void **state)
{
	struct segment s = tcp4;
	struct virtio_net_hdr vnet;
	struct gso g;
	size_t len;

	(void)state;
	for (unsigned kind = 0; kind < 4; kind++) {
		s.v6 = kind & 1;
		s.udp = kind & 2;
		s.payload = 333;
		len = segment_build(&s, expected);
		memcpy(packet, expected, len);
		segment_leave_checksum(&s, packet, len, 0, &vnet);
		vnet.gso_type = VIRTIO_NET_HDR_GSO_NONE;
		assert_true(gso_parse(&g, &vnet, packet, (uint32_t)len));
		assert_int_equal(g.segments, 1);
		assert_int_equal(gso_segment_len(&g, 0), len);
		assert_memory_equal(packet, expected, len);
		packet[len - 1] ^= 1; /* without NEEDS_CSUM, a wrong checksum stays wrong */
		memcpy(expected, packet, len);
		vnet.flags = 0;
		assert_true(gso_parse(&g, &vnet, packet, (uint32_t)len));
		assert_memory_equal(packet, expected, len);
	}
}

/* 5. Packets whose headers contradict the vnet header are refused. */
static void test_refused(void **state)
{
	struct segment s = tcp4;
	struct virtio_net_hdr good, v;
	struct gso g;
	uint32_t len;

	(void)state;
	s.payload = 3000;
	len = (uint32_t)segment_build(&s, packet);
	segment_leave_checksum(&s, packet, len, 1000, &good);
	assert_true(gso_parse(&g, &good, packet, len));
	for (uint32_t n = 0; n <= segment_header_len(&s); n++)
		assert_false(gso_parse(&g, &good, packet, n));
	v = good, v.gso_size = 0;
	assert_false(gso_parse(&g, &v, packet, len));
	v = good, v.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	assert_false(gso_parse(&g, &v, packet, len));
	v = good, v.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
	assert_false(gso_parse(&g, &v, packet, len));
	v = good, v.gso_type = VIRTIO_NET_HDR_GSO_UDP;
	assert_false(gso_parse(&g, &v, packet, len));
	v = good, v.csum_start = 24;
	assert_false(gso_parse(&g, &v, packet, len));
	v = good, v.csum_offset = 6;
	assert_false(gso_parse(&g, &v, packet, len));
	packet[32] = 0x40; /* a TCP header of 16 bytes */
	assert_false(gso_parse(&g, &good, packet, len));
	v = good, v.gso_type = VIRTIO_NET_HDR_GSO_NONE, v.csum_start = (uint16_t)(len - 1);
	assert_false(gso_parse(&g, &v, packet, len));
	v.csum_start = 65535;
	assert_false(gso_parse(&g, &v, packet, len));
}

/* Inserts a destination options header of @size bytes behind the IPv6 header. Returns the new
 * length. */
static size_t insert_extension(uint8_t *at, size_t len, uint8_t size)
{
	size_t payload;

	memmove(at + 40 + size, at + 40, len - 40);
	memset(at + 40, 0, size);
	at[40] = at[6];
	at[41] = (uint8_t)(size / 8 - 1);
	at[6] = 60;
	payload = len + size - 40;
	at[4] = (uint8_t)(payload >> 8);
	at[5] = (uint8_t)payload;
	return len + size;
}

/* 6. The kernel leaves the segmentation of packets with IPv6 extension headers to us, too. Each
 * segment gets a copy of the extension headers. */
static void test_extensions(void **state)
{
	struct segment s = tcp4;
	struct virtio_net_hdr vnet;
	struct gso g;

	(void)state;
	s.v6 = true;
	s.payload = 5600;
	for (uint8_t size = 8; size <= 56; size += 8) {
		size_t len = segment_build(&s, packet);

		segment_leave_checksum(&s, packet, len, 1000, &vnet);
		len = insert_extension(packet, len, size);
		vnet.csum_start = (uint16_t)(vnet.csum_start + size);
		/* of GSO_HEADERS_MAX, the IPv6 and TCP headers take 72 bytes, so 48 are left */
		assert_int_equal(gso_parse(&g, &vnet, packet, (uint32_t)len), size <= 48);
		for (unsigned i = 0; i < 6 && size <= 48; i++) {
			struct segment cut = segment_cut(&s, 1000, i);

			len = insert_extension(expected, segment_build(&cut, expected), size);
			assert_int_equal(g.segments, 6);
			assert_int_equal(gso_segment_len(&g, i), len);
			gso_write(&g, packet, i, got);
			assert_memory_equal(got, expected, len);
		}
	}
	/* An extension header that exceeds GSO_HEADERS_MAX */
	packet[41] = 255;
	assert_false(gso_parse(&g, &vnet, packet, 5600));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_wrong_stays_wrong),
		cmocka_unit_test(test_complete_checksum),
		cmocka_unit_test(test_finish),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_extensions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
