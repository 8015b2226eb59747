/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <endian.h>

#include "crypto/wipe.h"
#include "vectors.h"
#include "wg/cookie.h"
#include "wg/noise.h"
#include "wgxdp/limits.h"

#define T0 (1000 * NS_PER_S)

static struct vectors v;
static struct cookie_checker checker;
static struct cookie_maker maker;
static struct wire_initiation msg; /* from a vector, with its macs */
static struct endpoint from;
static uint8_t secret[WIRE_HASH_LEN], nonce[WIRE_COOKIE_NONCE_LEN];

/* Reads address and port in the form that the cookie covers: 4 + 2 or 16 + 2 bytes. */
static void source_from_vector(struct endpoint *e)
{
	uint8_t source[18];
	size_t len = vectors_get_any(&v, "cookie_source", source, sizeof(source));

	memset(e, 0, sizeof(*e));
	if (len == 6) {
		e->remote.v4.sin_family = AF_INET;
		memcpy(&e->remote.v4.sin_addr, source, 4);
		memcpy(&e->remote.v4.sin_port, source + 4, 2);
	} else {
		assert_int_equal(len, 18);
		e->remote.v6.sin6_family = AF_INET6;
		memcpy(&e->remote.v6.sin6_addr, source, 16);
		memcpy(&e->remote.v6.sin6_port, source + 16, 2);
	}
}

static void load_vector(void)
{
	uint8_t public[WIRE_KEY_LEN];

	vectors_get(&v, "responder_public", public, sizeof(public));
	cookie_checker_init(&checker, public);
	cookie_maker_init(&maker, public);
	vectors_get(&v, "initiation", &msg, sizeof(msg));
	vectors_get(&v, "cookie_secret", secret, sizeof(secret));
	vectors_get(&v, "cookie_nonce", nonce, sizeof(nonce));
	source_from_vector(&from);
}

/* Before each test: takes the first vector (IPv4). No message has been exchanged yet. */
static int setup(void **state)
{
	(void)state;
	vectors_open(&v, "noise.txt");
	assert_true(vectors_next(&v));
	fclose(v.file);
	load_vector();
	return 0;
}

static enum cookie_verdict check_at(uint64_t now_ns)
{
	return cookie_check(&checker, &msg, sizeof(msg), &from, now_ns);
}

static void make_reply(struct wire_cookie *reply)
{
	cookie_reply(reply, &checker, &msg, sizeof(msg), &from, msg.sender_index, nonce);
}

/* Runs the whole exchange: the message without a cookie is refused, the reply brings the cookie,
 * and the message signed with the cookie is accepted. */
static void earn_cookie(uint64_t now_ns)
{
	struct wire_cookie reply;

	cookie_secret_set(&checker, secret, now_ns);
	cookie_sign(&maker, &msg, sizeof(msg), now_ns);
	assert_int_equal(check_at(now_ns), COOKIE_MAC1_ONLY);
	make_reply(&reply);
	assert_true(cookie_consume(&maker, &reply, now_ns));
	cookie_sign(&maker, &msg, sizeof(msg), now_ns);
	assert_int_equal(check_at(now_ns), COOKIE_MAC2_VALID);
}

static void assert_vector(const char *key, const void *bytes, size_t len)
{
	uint8_t expected[256];

	vectors_get(&v, key, expected, len);
	assert_memory_equal(bytes, expected, len);
}

static void test_transcripts(void **state)
{
	struct wire_cookie reply;

	(void)state;
	for (vectors_open(&v, "noise.txt"); vectors_next(&v);) {
		load_vector();
		memset(&msg.macs, 0xa5, sizeof(msg.macs));
		cookie_sign(&maker, &msg, sizeof(msg), T0);
		assert_vector("initiation", &msg, sizeof(msg));

		assert_true(cookie_secret_due(&checker, T0));
		cookie_secret_set(&checker, secret, T0);
		assert_false(cookie_secret_due(&checker, T0));
		assert_int_equal(check_at(T0), COOKIE_MAC1_ONLY);
		make_reply(&reply);
		assert_vector("cookie_reply", &reply, sizeof(reply));

		assert_true(cookie_consume(&maker, &reply, T0));
		assert_vector("cookie", maker.cookie, WIRE_COOKIE_LEN);
		cookie_sign(&maker, &msg, sizeof(msg), T0);
		assert_vector("initiation_with_mac2", &msg, sizeof(msg));
		assert_int_equal(check_at(T0), COOKIE_MAC2_VALID);
	}
	assert_int_equal(v.blocks, 4);
}

/* The macs cover each byte of an initiation and of a response. */
static void test_flipped(void **state)
{
	static const size_t lens[] = { sizeof(struct wire_initiation),
				       sizeof(struct wire_response) };
	uint8_t *bytes = (uint8_t *)&msg;

	(void)state;
	earn_cookie(T0);
	for (size_t i = 0; i < 2; i++) {
		size_t len = lens[i];

		cookie_sign(&maker, &msg, len, T0);
		assert_int_equal(cookie_check(&checker, &msg, len, &from, T0), COOKIE_MAC2_VALID);
		for (size_t at = 0; at < len; at++) {
			enum cookie_verdict expected =
				at < len - WIRE_MAC_LEN ? COOKIE_BAD_MAC1 : COOKIE_MAC1_ONLY;

			bytes[at] ^= 1U << at % 8;
			assert_int_equal(cookie_check(&checker, &msg, len, &from, T0), expected);
			bytes[at] ^= 1U << at % 8;
		}
	}
}

/* A cookie proves one remote address and port. The local side does not matter. */
static void test_bound_to_source(void **state)
{
	struct endpoint right;

	(void)state;
	earn_cookie(T0);
	right = from;
	from.remote.v4.sin_port ^= htobe16(1);
	assert_int_equal(check_at(T0), COOKIE_MAC1_ONLY);
	from = right;
	from.remote.v4.sin_addr.s_addr ^= htobe32(1);
	assert_int_equal(check_at(T0), COOKIE_MAC1_ONLY);
	from = right;
	from.local.v4.s_addr = htobe32(0x0a000001);
	from.ifindex = 7;
	assert_int_equal(check_at(T0), COOKIE_MAC2_VALID);

	from = (struct endpoint){ .remote.v6.sin6_family = AF_INET6 };
	from.remote.v6.sin6_port = right.remote.v4.sin_port;
	memcpy(&from.remote.v6.sin6_addr, &right.remote.v4.sin_addr, 4);
	assert_int_equal(check_at(T0), COOKIE_MAC1_ONLY);
	earn_cookie(T0);
	from.remote.v6.sin6_addr.s6_addr[15] ^= 1;
	assert_int_equal(check_at(T0), COOKIE_MAC1_ONLY);
	from.remote.v6.sin6_addr.s6_addr[15] ^= 1;
	from.remote.v6.sin6_port ^= htobe16(256);
	assert_int_equal(check_at(T0), COOKIE_MAC1_ONLY);
}

static void test_secret_ages(void **state)
{
	static const uint64_t end = T0 + COOKIE_SECRET_MAX_AGE_S * NS_PER_S;

	(void)state;
	earn_cookie(T0);
	assert_false(cookie_secret_due(&checker, end - 1));
	assert_int_equal(check_at(end - 1), COOKIE_MAC2_VALID);
	assert_true(cookie_secret_due(&checker, end));
	assert_int_equal(check_at(end), COOKIE_MAC1_ONLY);
	/* a secret from the future must be replaced, too */
	assert_true(cookie_secret_due(&checker, T0 - 1));

	/* a new secret makes the previous cookies invalid */
	secret[0] ^= 1;
	cookie_secret_set(&checker, secret, end);
	assert_int_equal(check_at(end), COOKIE_MAC1_ONLY);
}

/* Without a secret no cookie is valid, not even one made with a secret of zeros. */
static void test_no_secret(void **state)
{
	(void)state;
	memset(secret, 0, sizeof(secret));
	earn_cookie(T0);
	checker.has_secret = false;
	assert_int_equal(check_at(T0), COOKIE_MAC1_ONLY);
}

static void test_cookie_ages(void **state)
{
	static const uint64_t age = (COOKIE_SECRET_MAX_AGE_S - COOKIE_SECRET_LATENCY_S) * NS_PER_S;

	(void)state;
	earn_cookie(T0);
	cookie_sign(&maker, &msg, sizeof(msg), T0 + age - 1);
	assert_int_equal(check_at(T0 + age - 1), COOKIE_MAC2_VALID);
	cookie_sign(&maker, &msg, sizeof(msg), T0 + age);
	assert_true(is_zero_ct(msg.macs.mac2, WIRE_MAC_LEN));
	assert_int_equal(check_at(T0 + age), COOKIE_MAC1_ONLY);
	assert_true(is_zero_ct(maker.cookie, WIRE_COOKIE_LEN));
	assert_false(maker.has_cookie);
}

static void refuse(const struct wire_cookie *reply)
{
	struct cookie_maker before;

	memcpy(&before, &maker, sizeof(before));
	assert_false(cookie_consume(&maker, reply, T0));
	assert_memory_equal(&maker, &before, sizeof(before));
}

/* Each time a maker has signed a message, it accepts one unaltered reply to this message, and no
 * other reply. */
static void test_consume(void **state)
{
	struct wire_cookie reply, late;
	uint8_t *bytes = (uint8_t *)&reply;
	uint8_t public[WIRE_KEY_LEN];

	(void)state;
	cookie_secret_set(&checker, secret, T0);
	make_reply(&reply);
	refuse(&reply); /* nothing was signed yet */

	cookie_sign(&maker, &msg, sizeof(msg), T0);
	make_reply(&late);
	msg.ephemeral[0] ^= 1;
	cookie_sign(&maker, &msg, sizeof(msg), T0);
	refuse(&late); /* a reply to an earlier message */

	make_reply(&reply);
	for (size_t at = offsetof(struct wire_cookie, nonce); at < sizeof(reply); at++) {
		bytes[at] ^= 1U << at % 8;
		refuse(&reply);
		bytes[at] ^= 1U << at % 8;
	}
	assert_true(cookie_consume(&maker, &reply, T0));
	refuse(&reply); /* the same reply a second time */
	cookie_sign(&maker, &msg, sizeof(msg), T0);
	/* Accepted, because the same message was signed again since the last reply. */
	assert_true(cookie_consume(&maker, &reply, T0));

	/* a reply made with another public key */
	vectors_get(&v, "initiator_public", public, sizeof(public));
	cookie_sign(&maker, &msg, sizeof(msg), T0);
	cookie_checker_init(&checker, public);
	cookie_secret_set(&checker, secret, T0);
	make_reply(&reply);
	refuse(&reply);
}

static void test_init_and_wipe(void **state)
{
	uint8_t public[WIRE_KEY_LEN];

	(void)state;
	vectors_get(&v, "responder_public", public, sizeof(public));
	earn_cookie(T0);
	cookie_maker_init(&maker, public);
	assert_false(maker.has_cookie);
	assert_false(maker.sent_mac1);
	assert_true(is_zero_ct(maker.cookie, WIRE_COOKIE_LEN));
	cookie_checker_init(&checker, public);
	assert_true(cookie_secret_due(&checker, T0));
	assert_true(is_zero_ct(checker.secret, WIRE_HASH_LEN));
	cookie_maker_wipe(&maker);
	cookie_checker_wipe(&checker);
	assert_true(is_zero_ct(&maker, sizeof(maker)));
	assert_true(is_zero_ct(&checker, sizeof(checker)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_transcripts, setup),
		cmocka_unit_test_setup(test_flipped, setup),
		cmocka_unit_test_setup(test_bound_to_source, setup),
		cmocka_unit_test_setup(test_secret_ages, setup),
		cmocka_unit_test_setup(test_no_secret, setup),
		cmocka_unit_test_setup(test_cookie_ages, setup),
		cmocka_unit_test_setup(test_consume, setup),
		cmocka_unit_test_setup(test_init_and_wipe, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
