/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "wg/ratelimit.h"
#include "wgxdp/limits.h"

#define T0 (5 * NS_PER_S)

static const uint8_t secret[16] = { 1, 2, 3 };

static struct endpoint v4(uint32_t address, uint16_t port)
{
	struct endpoint e = { .remote.v4 = { .sin_family = AF_INET } };

	e.remote.v4.sin_addr.s_addr = htonl(address);
	e.remote.v4.sin_port = htons(port);
	return e;
}

static struct endpoint v6(uint64_t prefix, uint64_t host)
{
	struct endpoint e = { .remote.v6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) } };

	for (int i = 0; i < 8; i++) {
		e.remote.v6.sin6_addr.s6_addr[i] = (uint8_t)(prefix >> 8 * (7 - i));
		e.remote.v6.sin6_addr.s6_addr[8 + i] = (uint8_t)(host >> 8 * (7 - i));
	}
	return e;
}

/* Returns how many tokens @e gets at @now_ns before a request is refused. */
static unsigned drain(struct ratelimit *r, struct endpoint e, uint64_t now_ns)
{
	unsigned n = 0;

	while (ratelimit_take(r, &e, now_ns))
		n++;
	return n;
}

static void test_rate_and_burst(void **state)
{
	struct ratelimit *r = ratelimit_new(100, 200, secret);
	const uint64_t token = NS_PER_S / 100;
	struct endpoint e = v4(0x0a000001, 1);

	(void)state;
	assert_non_null(r);
	assert_int_equal(drain(r, e, T0), 200);
	assert_int_equal(drain(r, e, T0 + token - 1), 0);
	assert_int_equal(drain(r, e, T0 + token), 1); /* a refused request costs no token */
	assert_int_equal(drain(r, e, T0 + 2 * token - 1), 0);
	assert_int_equal(drain(r, e, T0 + 11 * token), 10);
	assert_int_equal(drain(r, e, T0 + 111 * token), 100);
	assert_int_equal(drain(r, e, T0 + 1000 * token), 200); /* not more than the burst */
	assert_int_equal(drain(r, e, T0), 0);		       /* the clock went back */
	assert_int_equal(drain(r, e, T0 + 1001 * token), 1);
	assert_int_equal(drain(r, e, UINT64_MAX), 200);
	ratelimit_free(r);
	ratelimit_free(NULL);
}

static void test_extremes(void **state)
{
	struct ratelimit *r = ratelimit_new(1, UINT32_MAX, secret);
	struct endpoint e = v4(1, 1);

	(void)state;
	assert_non_null(r);
	for (int i = 0; i < 1000; i++)
		assert_true(ratelimit_take(r, &e, T0));
	assert_true(ratelimit_take(r, &e, UINT64_MAX));
	ratelimit_free(r);

	r = ratelimit_new(NS_PER_S, 1, secret);
	assert_non_null(r);
	assert_int_equal(drain(r, e, T0), 1);
	assert_int_equal(drain(r, e, T0 + 1), 1);
	ratelimit_free(r);
}

/* A source is an IPv4 address or an IPv6 /64. */
static void test_sources(void **state)
{
	struct ratelimit *r = ratelimit_new(1, 3, secret);

	(void)state;
	assert_non_null(r);
	assert_int_equal(drain(r, v4(0xc0000201, 1), T0), 3);
	assert_int_equal(drain(r, v4(0xc0000201, 2), T0), 0); /* same source, another port */
	assert_int_equal(drain(r, v4(0xc0000202, 1), T0), 3);
	assert_int_equal(drain(r, v6(0x20010db800000000, 1), T0), 3);
	assert_int_equal(drain(r, v6(0x20010db800000000, 1ULL << 63), T0), 0);
	assert_int_equal(drain(r, v6(0x20010db800000001, 1), T0), 3);
	/* an IPv6 source with the bytes of an IPv4 source is another source */
	assert_int_equal(drain(r, v6(0xc000020100000000, 1), T0), 3);
	ratelimit_free(r);
}

static void test_least_recently_used_goes(void **state)
{
	struct ratelimit *r = ratelimit_new(1, 1, secret);

	(void)state;
	assert_non_null(r);
	for (uint32_t i = 0; i < RATELIMIT_BUCKETS; i++)
		assert_int_equal(drain(r, v4(i, 1), T0), 1);
	assert_int_equal(drain(r, v4(0, 1), T0), 0); /* now source 1 is the least recently used */
	/* replaces the bucket of source 1 */
	assert_int_equal(drain(r, v4(RATELIMIT_BUCKETS, 1), T0), 1);
	assert_int_equal(drain(r, v4(0, 1), T0), 0);
	assert_int_equal(drain(r, v4(2, 1), T0), 0);
	assert_int_equal(drain(r, v4(1, 1), T0), 1); /* replaces the bucket of source 3 */
	assert_int_equal(drain(r, v4(3, 1), T0), 1); /* gets a new, full bucket */
	ratelimit_free(r);
}

/* Compares ratelimit.c with a plain implementation: an array with one bucket per source. */
#define SOURCES (2 * RATELIMIT_BUCKETS)

struct model {
	uint64_t saved_ns, last_ns, used; /* used: @turn of the last use; 0 = no bucket */
};

static struct model model[SOURCES];

static bool model_take(uint32_t source, uint64_t now_ns, uint64_t turn, uint64_t token,
		       uint64_t burst)
{
	static unsigned resident;
	struct model *m = &model[source];

	if (m->used == 0) {
		struct model *oldest = NULL;

		for (uint32_t i = 0; i < SOURCES && resident == RATELIMIT_BUCKETS; i++) {
			if (model[i].used && (!oldest || model[i].used < oldest->used))
				oldest = &model[i];
		}
		if (oldest)
			oldest->used = 0;
		else
			resident++;
		m->saved_ns = burst;
		m->last_ns = now_ns;
	}
	m->used = turn;
	m->saved_ns += now_ns - m->last_ns;
	if (m->saved_ns > burst)
		m->saved_ns = burst;
	m->last_ns = now_ns;
	if (m->saved_ns < token)
		return false;
	m->saved_ns -= token;
	return true;
}

static void test_against_model(void **state)
{
	struct ratelimit *r = ratelimit_new(1, 2, secret);
	uint64_t now_ns = T0;
	unsigned refused = 0;

	(void)state;
	assert_non_null(r);
	srandom(1);
	for (uint64_t turn = 1; turn <= 60000; turn++) {
		/* Sixteen sources often empty their buckets. The many other sources replace each
		 * other's buckets. A source whose bucket was replaced begins with a full one. */
		uint32_t source = (uint32_t)random() % (random() % 4 ? SOURCES : 16);
		struct endpoint e = source % 2 ? v4(source, 1) : v6(source, turn);
		bool expected;

		now_ns += (uint64_t)random() % (NS_PER_MS / 10);
		expected = model_take(source, now_ns, turn, NS_PER_S, 2 * NS_PER_S);
		assert_int_equal(ratelimit_take(r, &e, now_ns), expected);
		refused += !expected;
	}
	assert_in_range(refused, 1000, 59000);
	ratelimit_free(r);
}

static void mac2_of(uint8_t mac2[16], uint32_t number)
{
	memset(mac2, 0, 16);
	memcpy(mac2 + number % 13, &number, sizeof(number));
}

static void test_remembers(void **state)
{
	struct ratelimit *r = ratelimit_new(1, 1, secret);
	unsigned known = 0, taken = 0;
	uint8_t mac2[16];

	(void)state;
	assert_non_null(r);
	for (uint32_t i = 1; i <= 1000; i++) {
		mac2_of(mac2, i);
		taken += ratelimit_remembers(r, mac2);
		ratelimit_remember(r, mac2);
		assert_true(ratelimit_remembers(r, mac2));
	}
	assert_int_equal(taken, 0); /* an unknown message is never reported as recorded */
	for (uint32_t i = 1; i <= 1000; i++) {
		mac2_of(mac2, i);
		known += ratelimit_remembers(r, mac2);
	}
	/* few mac2 values share a hash slot, in which the newer replaces the older */
	assert_in_range(known, 800, 1000);
	for (uint32_t i = 1001; i < 1001 + 16 * RATELIMIT_REMEMBERED; i++) {
		mac2_of(mac2, i);
		ratelimit_remember(r, mac2);
	}
	mac2_of(mac2, 1);
	assert_false(ratelimit_remembers(r, mac2));
	ratelimit_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate_and_burst),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_least_recently_used_goes),
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_remembers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
