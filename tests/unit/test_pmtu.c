/* SPDX-License-Identifier: MIT */
/* test_pmtu.c - which ICMP errors about the MTU quote a packet of ours. Each error is also cut
 * short at every length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "../../user/io/pmtu.c" /* NOLINT(bugprone-suspicious-include) */

#define PORT 51820 /* 0xca6c */

static const uint8_t error4[] = {
	0x45, 0xc0, 0,	  56,	0,   0,	   0,	0,    64,  1,
	0,    0,    198,  51,	100, 1,	   192, 0,    2,   1, /* IPv4 header of the error */
	3,    4,    0,	  0,	0,   0,	   5,	0x78,	      /* MTU 1400 */
	0x45, 0,    5,	  0xdc, 0,   0,	   0,	0,    63,  17,
	0,    0,    192,  0,	2,   1,	   203, 0,    113, 9, /* our packet */
	0xca, 0x6c, 0x1a, 0x0b, 5,   0xc8, 0,	0,
};
static const uint8_t
	error6[] = {
		2,    0,    0,	  0,	0, 0,	 5,  0x78, /* MTU 1400 */
		0x60, 0,    0,	  0,	5, 0xb4, 17, 63,   0x20, 1, 0xd,  0xb8, 0,   0,
		0,    0,    0,	  0,	0, 0,	 0,  0,	   0,	 1, 0x20, 1,	0xd, 0xb8,
		0,    9,    0,	  0,	0, 0,	 0,  0,	   0,	 0, 0,	  9, /* our packet */
		0xca, 0x6c, 0x1a, 0x0b, 5, 0xb4, 0,  0,
	};

struct change {
	size_t at;
	uint8_t value;
	bool found;
};

/* Copies the packet to the heap, so that ASan reports a read beyond its end. */
static bool parse(bool v6, const uint8_t *bytes, size_t len, struct endpoint *to)
{
	uint8_t *copy = malloc(len ? len : 1);
	bool found;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	found = v6 ? parse_ipv6(copy, len, htons(PORT), to)
		   : parse_ipv4(copy, len, htons(PORT), to);
	free(copy);
	return found;
}

static void check(bool v6, const uint8_t *bytes, size_t len, const struct change *changes, size_t n)
{
	struct endpoint to = { 0 };
	uint8_t changed[64];

	for (size_t i = 0; i < n; i++) {
		memcpy(changed, bytes, len);
		changed[changes[i].at] = changes[i].value;
		if (parse(v6, changed, len, &to) != changes[i].found)
			fail_msg("IPv%d, change %zu", v6 ? 6 : 4, i);
	}
}

static void test_ipv4(void **state)
{
	static const struct change changes[] = {
		/*  0: no change */ { 0, 0x45, true },
		/*  1: a header of 16 bytes */ { 0, 0x44, false },
		/*  2: options, so that the ICMP header would begin later */ { 0, 0x46, false },
		/*  3: echo */ { 20, 8, false },
		/*  4: port unreachable */ { 21, 3, false },
		/*  5: a quoted packet that is not IPv4 */ { 28, 0x65, false },
		/*  6: a quoted header of 16 bytes */ { 28, 0x44, false },
		/*  7: a later fragment */ { 35, 1, false },
		/*  8: a first fragment */ { 34, 0x20, true },
		/*  9: TCP */ { 37, 6, false },
		/* 10: another port */ { 49, 0x6d, false },
	};
	struct endpoint to;

	(void)state;
	memset(&to, 0, sizeof(to)); /* { 0 } would clear only the union's first member */
	check(false, error4, sizeof(error4), changes, sizeof(changes) / sizeof(*changes));
	assert_true(parse(false, error4, sizeof(error4), &to));
	assert_int_equal(to.remote.v4.sin_family, AF_INET);
	assert_int_equal(ntohs(to.remote.v4.sin_port), 0x1a0b);
	assert_int_equal(ntohl(to.remote.v4.sin_addr.s_addr), 0xcb007109);
	for (size_t len = 0; len < 52; len++) /* both ports must be present */
		assert_false(parse(false, error4, len, &to));
}

static void test_ipv6(void **state)
{
	static const struct change changes[] = {
		/* 0: no change */ { 0, 2, true },
		/* 1: unreachable */ { 0, 1, false },
		/* 2: a quoted packet that is not IPv6 */ { 8, 0x45, false },
		/* 3: TCP */ { 14, 6, false },
		/* 4: a fragment header without any ports */ { 14, 44, false },
		/* 5: another port */ { 49, 0x6d, false },
	};
	uint8_t cut[sizeof(error6) + 8];
	struct endpoint to;

	(void)state;
	memset(&to, 0, sizeof(to)); /* { 0 } would clear only the union's first member */
	check(true, error6, sizeof(error6), changes, sizeof(changes) / sizeof(*changes));
	assert_true(parse(true, error6, sizeof(error6), &to));
	assert_int_equal(to.remote.v6.sin6_family, AF_INET6);
	assert_int_equal(ntohs(to.remote.v6.sin6_port), 0x1a0b);
	assert_memory_equal(&to.remote.v6.sin6_addr, error6 + 32, 16);
	for (size_t len = 0; len < 52; len++)
		assert_false(parse(true, error6, len, &to));
	/* the first fragment of our packet: a fragment header before the ports */
	memcpy(cut, error6, 48);
	memset(cut + 48, 0, 8);
	memcpy(cut + 56, error6 + 48, 8);
	cut[14] = 44;
	cut[48] = 17;
	assert_true(parse(true, cut, 60, &to));
	assert_false(parse(true, cut, 59, &to));
	cut[51] = 8; /* a later fragment */
	assert_false(parse(true, cut, 60, &to));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_ipv4),
					    cmocka_unit_test(test_ipv6) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
