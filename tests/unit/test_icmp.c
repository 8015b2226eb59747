/* SPDX-License-Identifier: MIT */
/* test_icmp.c - which packets are answered with an ICMP error, which packets must never be
 * answered, and whether each answer is a correct message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "path/icmp.h"

static uint8_t packet[4096], out[ICMP_ERROR_MAX];

/* Sums 16-bit words in one's complement with a plain loop. The result is 0xffff if the checksum in
 * the data is correct. */
static uint32_t ones(uint32_t total, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		total += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (total > 0xffff)
		total = (total & 0xffff) + (total >> 16);
	return total;
}

static size_t make4(size_t len, uint8_t protocol)
{
	static const uint8_t addresses[] = { 10, 0, 0, 1, 192, 0, 2, 9 };

	memset(packet, 0xa5, sizeof(packet));
	memset(packet, 0, 20);
	packet[0] = 0x45;
	packet[9] = protocol;
	memcpy(packet + 12, addresses, 8);
	packet[20] = 8; /* for ICMP: an echo request */
	return len;
}

static size_t make6(size_t len, uint8_t next)
{
	memset(packet, 0x5a, sizeof(packet));
	memset(packet, 0, 48);
	packet[0] = 0x60;
	packet[6] = next;
	packet[8] = 0xfd;
	packet[23] = 1;
	packet[24] = 0xfd;
	packet[39] = 9;
	packet[40] = 128; /* for ICMPv6: an echo request */
	return len;
}

static void test_ipv4(void **state)
{
	static const size_t lengths[] = { 20, 21, 28, 547, 548, 549, 1232 };

	(void)state;
	for (unsigned i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		size_t quoted = lengths[i] < 548 ? lengths[i] : 548;
		size_t n = icmp_error(out, packet, make4(lengths[i], 17), 0);

		assert_int_equal(n, 8 + quoted);
		assert_memory_equal(out, ((const uint8_t[]){ 3, 1 }), 2);
		assert_memory_equal(out + 4, ((const uint8_t[]){ 0, 0, 0, 0 }), 4);
		assert_int_equal(ones(0, out, n), 0xffff);
		assert_memory_equal(out + 8, packet, quoted);
	}
}

static void test_ipv6(void **state)
{
	static const size_t lengths[] = { 40, 41, 1231, 1232 };

	(void)state;
	for (unsigned i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		size_t n = icmp_error(out, packet, make6(lengths[i], 17), 0);

		assert_int_equal(n, 8 + lengths[i]);
		assert_memory_equal(out, ((const uint8_t[]){ 1, 3, 0, 0, 0, 0, 0, 0 }), 8);
		assert_memory_equal(out + 8, packet, lengths[i]);
	}
}

static void test_too_big(void **state)
{
	size_t n = icmp_error(out, packet, make4(1200, 17), 0x0514);

	(void)state;
	assert_int_equal(n, 556);
	assert_memory_equal(out, ((const uint8_t[]){ 3, 4 }), 2);
	assert_memory_equal(out + 4, ((const uint8_t[]){ 0, 0, 5, 0x14 }), 4);
	assert_int_equal(ones(0, out, n), 0xffff);
	assert_memory_equal(out + 8, packet, n - 8);

	n = icmp_error(out, packet, make6(1200, 17), 0x0514);
	assert_int_equal(n, 1208);
	assert_memory_equal(out, ((const uint8_t[]){ 2, 0, 0, 0, 0, 0, 5, 0x14 }), 8);
	assert_memory_equal(out + 8, packet, n - 8);
	assert_int_equal(icmp_error(out, packet, 39, 1280), 0);
}

/* Sets the byte at offset @at of a packet to @value. @answered: whether the changed packet causes
 * an ICMP error. */
struct change {
	size_t at;
	uint8_t value;
	bool answered;
	const char *what;
};

static void check(const struct change *c, size_t (*make)(size_t, uint8_t), uint8_t protocol)
{
	size_t len = make(200, protocol);

	packet[c->at] = c->value;
	print_message("# %s\n", c->what);
	assert_int_equal(icmp_answerable(packet, len), c->answered);
	assert_int_equal(icmp_error(out, packet, len, 0) > 0, c->answered);
}

static void test_never4(void **state)
{
	static const struct change udp[] = {
		{ 7, 0x01, false, "a later fragment" },
		{ 6, 0x20, true, "a first fragment" },
		{ 6, 0x40, true, "don't fragment" },
		{ 12, 0, false, "from 0/8" },
		{ 12, 127, false, "from 127/8" },
		{ 12, 224, false, "from multicast" },
		{ 16, 239, false, "to multicast" },
		{ 16, 255, false, "to 255/8" },
		{ 0, 0x44, false, "a header length of 16" },
		{ 0, 0x4f, true, "a header with 40 bytes of options" },
		{ 0, 0x55, false, "IP version 5" },
	};
	static const struct change icmp[] = {
		{ 20, 8, true, "echo request" },      { 20, 0, true, "echo reply" },
		{ 20, 3, false, "unreachable" },      { 20, 11, false, "time exceeded" },
		{ 20, 5, false, "redirect" },	      { 20, 12, false, "parameter problem" },
		{ 20, 42, false, "an unknown type" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(udp) / sizeof(*udp); i++)
		check(&udp[i], make4, 17);
	for (unsigned i = 0; i < sizeof(icmp) / sizeof(*icmp); i++)
		check(&icmp[i], make4, 1);
	/* The packet ends before the ICMP type. */
	assert_int_equal(icmp_error(out, packet, make4(20, 1), 0), 0);
	for (size_t len = 0; len < 20; len++)
		assert_int_equal(icmp_error(out, packet, make4(len, 17), 0), 0);
}

static void test_never6(void **state)
{
	static const struct change udp[] = {
		{ 8, 0xff, false, "from multicast" },
		{ 24, 0xff, false, "to multicast" },
	};
	static const struct change icmp[] = {
		{ 40, 128, true, "echo request" },
		{ 40, 1, false, "unreachable" },
		{ 40, 2, false, "too big" },
		{ 40, 127, false, "an unknown error" },
	};
	/* a fragment header at offset 40, followed by UDP */
	static const struct change fragment[] = {
		{ 42, 0, true, "the first fragment" },
		{ 42, 1, false, "a later fragment, high bits" },
		{ 43, 0x08, false, "a later fragment, low bits" },
		{ 43, 0x01, true, "the first of several" },
		{ 40, 58, true, "the first fragment of an echo request" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(udp) / sizeof(*udp); i++)
		check(&udp[i], make6, 17);
	for (unsigned i = 0; i < sizeof(icmp) / sizeof(*icmp); i++)
		check(&icmp[i], make6, 58);
	for (unsigned i = 0; i < sizeof(fragment) / sizeof(*fragment); i++) {
		size_t len = make6(200, 44);

		memset(packet + 40, 0, 8);
		packet[40] = 17;
		packet[48] = 128;
		packet[fragment[i].at] = fragment[i].value;
		print_message("# %s\n", fragment[i].what);
		assert_int_equal(icmp_answerable(packet, len), fragment[i].answered);
		assert_int_equal(icmp_error(out, packet, len, 0) > 0, fragment[i].answered);
	}
	/* an ICMP error is recognized behind extension headers */
	make6(200, 0);
	memset(packet + 40, 0, 16);
	packet[40] = 60;
	packet[48] = 58;
	packet[56] = 1;
	assert_int_equal(icmp_error(out, packet, 200, 0), 0);
	packet[56] = 128;
	assert_int_equal(icmp_error(out, packet, 200, 0), 208);
	/* the packet ends between the extension headers */
	assert_int_equal(icmp_error(out, packet, 50, 0), 0);
	make6(200, 17);
	memset(packet + 8, 0, 16);
	assert_int_equal(icmp_error(out, packet, 200, 0), 0); /* from the unspecified address */
	for (size_t len = 0; len < 40; len++)
		assert_int_equal(icmp_error(out, packet, make6(len, 17), 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4),	cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_too_big), cmocka_unit_test(test_never4),
		cmocka_unit_test(test_never6),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
