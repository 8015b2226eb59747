/* SPDX-License-Identifier: MIT */
/*
 * test_encap.c - compares outer headers byte by byte with headers written out in this file, and
 * checksums with those of a plain loop.
 */
#include "io/encap.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROOM 65536

static uint8_t space[ENCAP_HEADER_MAX + 2 + ROOM];

/* Returns @sum plus the 16-bit words at @p in network order (RFC 1071). An odd last byte is padded
 * on the right. */
static uint32_t plain_sum(const uint8_t *p, size_t n, uint32_t sum)
{
	for (size_t i = 0; i < n; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static struct endpoint endpoint_v4(const char *remote, uint16_t port, const char *local)
{
	struct endpoint e = { 0 };

	e.remote.v4.sin_family = AF_INET;
	e.remote.v4.sin_port = htons(port);
	assert_int_equal(inet_pton(AF_INET, remote, &e.remote.v4.sin_addr), 1);
	assert_int_equal(inet_pton(AF_INET, local, &e.local.v4), 1);
	return e;
}

static struct endpoint endpoint_v6(const char *remote, uint16_t port, const char *local)
{
	struct endpoint e = { 0 };

	e.remote.v6.sin6_family = AF_INET6;
	e.remote.v6.sin6_port = htons(port);
	assert_int_equal(inet_pton(AF_INET6, remote, &e.remote.v6.sin6_addr), 1);
	assert_int_equal(inet_pton(AF_INET6, local, &e.local.v6), 1);
	return e;
}

static const struct encap_hop hop = {
	.ifindex = 7,
	.source_mac = { 0x02, 0, 0, 0, 0, 0x0a },
	.next_hop_mac = { 0x02, 0, 0, 0, 0, 0x0b },
	.source_port = 0, /* set by direct() */
	.ttl = 64,
};

static struct encap *direct(const struct endpoint *e, uint16_t port)
{
	struct encap_hop h = hop;
	struct encap *n = encap_new(e, 1500);

	assert_non_null(n);
	assert_false(n->xsk_ok);
	h.source_port = htons(port);
	encap_set_xsk_ok(n, &h);
	assert_true(n->xsk_ok);
	assert_int_equal(n->ifindex, 7);
	assert_int_equal(n->mtu, 1500);
	return n;
}

static void fill(uint8_t *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1103515245 + 12345;
		p[i] = (uint8_t)(seed >> 16);
	}
}

/* Returns the sum over pseudo header, UDP header and payload of a written packet: 0xffff if the
 * checksum is correct. */
static uint32_t udp_total(bool v4, const uint8_t *l3, const uint8_t *udp, uint32_t udp_len)
{
	uint32_t sum = v4 ? plain_sum(l3 + 12, 8, 0) : plain_sum(l3 + 8, 32, 0);
	uint8_t tail[4] = { 0, 17, (uint8_t)(udp_len >> 8), (uint8_t)udp_len };

	return plain_sum(udp, udp_len, plain_sum(tail, 4, sum));
}

static void test_ipv4_bytes(void **state)
{
	/* The expected checksums were computed in Python. */
	static const uint8_t want[] = {
		0x02, 0,    0,	  0,	0,    0x0b, 0x02, 0,	0,    0,    0,	  0x0a,
		0x08, 0x00, 0x45, 0xb9, 0x00, 0x20, 0x12, 0x34, 0x00, 0x00, 0x40, 0x11,
		0x7b, 0xa9, 192,  0,	2,    1,    198,  51,	100,  2,    0xca, 0x6c,
		0x1a, 0x0b, 0x00, 0x0c, 0x5c, 0x52, 'h',  'i',	'j',  'k',
	};
	struct endpoint e = endpoint_v4("198.51.100.2", 6667, "192.0.2.1");
	struct encap *n = direct(&e, 51820);
	uint8_t got[sizeof(want)] = { 0 };
	uint8_t *payload = got + 42;

	(void)state;
	assert_int_equal(n->header_len, 42);
	assert_int_equal(encap_overhead(n), 28);
	memcpy(payload, "hijk", 4);
	encap_write(n, payload, 4, 0x1234, 0xb9);
	assert_int_equal(plain_sum(got + 14, 20, 0), 0xffff);
	assert_int_equal(udp_total(true, got + 14, got + 34, 12), 0xffff);
	assert_true(encap_checksum_fits(got + 14, got + 34));
	assert_memory_equal(got, want, sizeof(want));
	free(n);
}

static void test_ipv6_bytes(void **state)
{
	static const uint8_t want[] = {
		0x02, 0,    0,	  0,	0,    0x0b, 0x02, 0,	0,    0,    0,	  0x0a, 0x86,
		0xdd, 0x6b, 0x90, 0x00, 0x00, 0x00, 0x0b, 0x11, 0x40, 0x20, 0x01, 0x0d, 0xb8,
		0,    0,    0,	  0,	0,    0,    0,	  0,	0,    0,    0,	  1,	0x20,
		0x01, 0x0d, 0xb8, 0,	0,    0,    0,	  0,	0,    0,    0,	  0,	0,
		0,    2,    0xca, 0x6c, 0x1a, 0x0b, 0x00, 0x0b, 0xec, 0x86, 'o',  'd',	'd',
	};
	struct endpoint e = endpoint_v6("2001:db8::2", 6667, "2001:db8::1");
	struct encap *n = direct(&e, 51820);
	uint8_t got[sizeof(want)] = { 0 };
	uint8_t *payload = got + 62;

	(void)state;
	assert_int_equal(n->header_len, 62);
	assert_int_equal(encap_overhead(n), 48);
	memcpy(payload, "odd", 3);
	encap_write(n, payload, 3, 0x1234, 0xb9);
	assert_int_equal(udp_total(false, got + 14, got + 54, 11), 0xffff);
	assert_true(encap_checksum_fits(got + 14, got + 54));
	assert_memory_equal(got, want, sizeof(want));
	free(n);
}

/* Tries every payload length below 200, for which the checksum loops run only a few times, and then
 * some large lengths. No byte outside the packet may change. */
static void test_lengths(void **state)
{
	static const uint32_t large[] = { 1420, 1421, 1439, 1440, 8999, 65507 };
	struct endpoint e4 = endpoint_v4("203.0.113.255", 1, "10.255.255.254");
	struct endpoint e6 = endpoint_v6("fe80::ffff:ffff", 65535, "fe80::1");
	struct encap *n[2] = { direct(&e4, 65535), direct(&e6, 1) };

	(void)state;
	for (unsigned i = 0; i < 200 + sizeof(large) / sizeof(large[0]); i++) {
		uint32_t len = i < 200 ? i : large[i - 200];

		for (unsigned v = 0; v < 2; v++) {
			uint32_t above = n[v]->header_len;
			uint8_t *payload = space + 1 + above, *l3 = space + 1 + 14;
			uint8_t *udp = payload - 8;

			if (len + 48 > 65535 && v)
				continue;
			space[0] = 0xa5;
			fill(payload, len, i);
			payload[len] = 0x5a;
			encap_write(n[v], payload, len, (uint16_t)(i * 641), (uint8_t)(i * 37));
			assert_int_equal(space[0], 0xa5);
			assert_int_equal(payload[len], 0x5a);
			assert_int_equal(udp[4] << 8 | udp[5], len + 8);
			assert_int_equal(udp_total(!v, l3, udp, len + 8), 0xffff);
			if (!v) {
				assert_int_equal(plain_sum(l3, 20, 0), 0xffff);
				assert_int_equal(l3[2] << 8 | l3[3], len + 28);
				assert_int_equal(l3[4] << 8 | l3[5], (uint16_t)(i * 641));
			} else {
				assert_int_equal(l3[4] << 8 | l3[5], len + 8);
			}
			assert_true(encap_checksum_fits(l3, udp));
		}
	}
	free(n[0]);
	free(n[1]);
}

/* A checksum that computes to zero is sent as 0xffff, because a zero field would mean that there is
 * no checksum. */
static void test_zero_is_sent_as_ones(void **state)
{
	struct endpoint e4 = endpoint_v4("198.51.100.2", 6667, "192.0.2.1");
	struct endpoint e6 = endpoint_v6("2001:db8::2", 6667, "2001:db8::1");
	struct encap *n[2] = { direct(&e4, 51820), direct(&e6, 51820) };

	(void)state;
	for (unsigned v = 0; v < 2; v++) {
		uint8_t *payload = space + n[v]->header_len, *l3 = space + 14, *udp = payload - 8;

		memset(payload, 0, 2);
		encap_write(n[v], payload, 2, 0, 0);
		assert_false(udp[6] == 0xff && udp[7] == 0xff);
		/* The checksum of the first packet is the complement of its sum. With this checksum
		 * as the payload, the sum becomes 0xffff, and its complement is zero. */
		memcpy(payload, udp + 6, 2);
		encap_write(n[v], payload, 2, 0, 0);
		assert_int_equal(udp[6], 0xff);
		assert_int_equal(udp[7], 0xff);
		assert_true(encap_checksum_fits(l3, udp));
		free(n[v]);
	}
}

enum damage { INTACT, PAYLOAD, CHECK, ZERO, PSEUDO, PSEUDO_OFF, ADDRESS, TTL_BYTE, SHORT };

static void damage(enum damage d, bool v4, uint8_t *l3, uint8_t *udp, uint32_t udp_len)
{
	uint8_t tail[4] = { 0, 17, (uint8_t)(udp_len >> 8), (uint8_t)udp_len };
	uint32_t pseudo = v4 ? plain_sum(l3 + 12, 8, 0) : plain_sum(l3 + 8, 32, 0);

	pseudo = plain_sum(tail, 4, pseudo);
	switch (d) {
	case INTACT:
		break;
	case PAYLOAD:
		udp[8 + 3] ^= 0x10;
		break;
	case CHECK:
		udp[7] ^= 1;
		break;
	case ZERO:
		udp[6] = udp[7] = 0;
		break;
	case PSEUDO_OFF:
		pseudo ^= 0x100;
		/* fall through */
	case PSEUDO:
		udp[6] = (uint8_t)(pseudo >> 8);
		udp[7] = (uint8_t)pseudo;
		break;
	case ADDRESS:
		l3[v4 ? 15 : 20] ^= 4;
		break;
	case TTL_BYTE:
		l3[v4 ? 8 : 7] ^= 4;
		break;
	case SHORT:
		udp[4] = 0;
		udp[5] = 7;
		break;
	}
}

static void test_fits(void **state)
{
	static const struct {
		enum damage damage;
		bool v4_fits, v6_fits;
	} cases[] = {
		/* 0 */ { INTACT, true, true },
		/* 1 */ { PAYLOAD, false, false },
		/* 2 */ { CHECK, false, false },
		/* 3 */ { ZERO, true, false },
		/* 4: the field holds only the pseudo-header sum, because the sender's NIC adds the
		 * rest */
		{ PSEUDO, true, true },
		/* 5 */ { PSEUDO_OFF, false, false },
		/* 6 */ { ADDRESS, false, false },
		/* 7: only IPv4 has a header checksum */ { TTL_BYTE, false, true },
		/* 8: a UDP length below that of the UDP header */ { SHORT, false, false },
	};
	struct endpoint e4 = endpoint_v4("198.51.100.2", 6667, "192.0.2.1");
	struct endpoint e6 = endpoint_v6("2001:db8::2", 6667, "2001:db8::1");
	struct encap *n[2] = { direct(&e4, 51820), direct(&e6, 51820) };

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (unsigned v = 0; v < 2; v++) {
			uint8_t *payload = space + n[v]->header_len;
			bool fits;

			fill(payload, 77, i + 1);
			encap_write(n[v], payload, 77, 9, 2);
			damage(cases[i].damage, !v, space + 14, payload - 8, 85);
			fits = encap_checksum_fits(space + 14, payload - 8);
			if (fits != (v ? cases[i].v6_fits : cases[i].v4_fits))
				fail_msg("case %u, IPv%d: %d", i, v ? 6 : 4, fits);
		}
	free(n[0]);
	free(n[1]);
}

/* IPv4 options are part of the header checksum. */
static void test_fits_options(void **state)
{
	uint8_t packet[24 + 8 + 2] = {
		0x46, 0, 0, 34, 0,   0,	 0,   0, 64,   17,   0, 0,
		192,  0, 2, 1,	198, 51, 100, 2, 0x94, 0x04, 0, 0, /* router alert */
		0,    1, 0, 2,	0,   10, 0,   0, 'a',  'b',
	};
	uint32_t sum = plain_sum(packet, 24, 0) ^ 0xffff;

	(void)state;
	packet[10] = (uint8_t)(sum >> 8);
	packet[11] = (uint8_t)sum;
	assert_true(encap_checksum_fits(packet, packet + 24));
	packet[23] ^= 1;
	assert_false(encap_checksum_fits(packet, packet + 24));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4_bytes), cmocka_unit_test(test_ipv6_bytes),
		cmocka_unit_test(test_lengths),	   cmocka_unit_test(test_zero_is_sent_as_ones),
		cmocka_unit_test(test_fits),	   cmocka_unit_test(test_fits_options),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
