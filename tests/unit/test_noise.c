/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <endian.h>

#include "crypto/wipe.h"
#include "vectors.h"
#include "wg/cookie.h"
#include "wg/kdf.h"
#include "wg/noise.h"
#include "wgxdp/limits.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* One end of a handshake. */
struct node {
	struct noise_identity id;
	struct noise_remote remote; /* what this node knows of the other node */
	struct noise_handshake hs;
	struct cookie_maker maker;
	uint8_t ephemeral[WIRE_KEY_LEN];
	uint32_t index;
};

struct pair {
	struct node i, r; /* initiator, responder */
	uint8_t timestamp[WIRE_TIMESTAMP_LEN];
	struct wire_initiation initiation;
	struct noise_incoming incoming;
	struct wire_response response;
};

static struct vectors v;

static void node_init(struct node *n, const uint8_t private[static WIRE_KEY_LEN])
{
	memset(n, 0, sizeof(*n));
	noise_identity_set(&n->id, private);
}

static void meet(struct node *a, const struct node *b, const uint8_t psk[static WIRE_KEY_LEN])
{
	noise_remote_set(&a->remote, &a->id, b->id.public);
	memcpy(a->remote.psk, psk, WIRE_KEY_LEN);
	cookie_maker_init(&a->maker, b->id.public);
}

/* Makes two nodes with the keys in the current block of vectors. Each is the other's peer. */
static void pair_from_vector(struct pair *p)
{
	uint8_t private[WIRE_KEY_LEN], psk[WIRE_KEY_LEN];
	__le32 index = 0;

	memset(p, 0, sizeof(*p));
	vectors_get(&v, "initiator_private", private, sizeof(private));
	node_init(&p->i, private);
	vectors_get(&v, "responder_private", private, sizeof(private));
	node_init(&p->r, private);
	vectors_get(&v, "psk", psk, sizeof(psk));
	meet(&p->i, &p->r, psk);
	meet(&p->r, &p->i, psk);
	vectors_get(&v, "initiator_ephemeral", p->i.ephemeral, WIRE_KEY_LEN);
	vectors_get(&v, "responder_ephemeral", p->r.ephemeral, WIRE_KEY_LEN);
	vectors_get(&v, "timestamp", p->timestamp, sizeof(p->timestamp));
	vectors_get(&v, "initiator_index", &index, sizeof(index));
	p->i.index = le32toh(index);
	vectors_get(&v, "responder_index", &index, sizeof(index));
	p->r.index = le32toh(index);
}

static bool send_initiation(struct pair *p)
{
	return noise_create_initiation(&p->initiation, &p->i.hs, &p->i.id, &p->i.remote,
				       p->i.ephemeral, p->timestamp, p->i.index);
}

static enum noise_verdict receive_initiation(struct pair *p)
{
	if (!noise_open_initiation(&p->initiation, &p->r.id, &p->incoming))
		return NOISE_BAD;
	return noise_consume_initiation(&p->initiation, &p->incoming, &p->r.remote, &p->r.hs);
}

static bool send_response(struct pair *p)
{
	return noise_create_response(&p->response, &p->r.hs, &p->r.remote, p->r.ephemeral,
				     p->r.index);
}

static bool receive_response(struct pair *p)
{
	return noise_consume_response(&p->response, &p->i.hs, &p->i.id, &p->i.remote);
}

/* Makes a pair that has exchanged the first @messages messages. */
static void pair_at(struct pair *p, unsigned messages)
{
	vectors_open(&v, "noise.txt");
	for (unsigned block = 0; block < 3; block++)
		assert_true(vectors_next(&v)); /* block 3 is the first with a preshared key */
	fclose(v.file);
	pair_from_vector(p);
	if (messages >= 1) {
		assert_true(send_initiation(p));
		assert_int_equal(receive_initiation(p), NOISE_OK);
	}
	if (messages >= 2) {
		assert_true(send_response(p));
		assert_true(receive_response(p));
	}
}

static void assert_vector(const char *key, const void *bytes, size_t len)
{
	uint8_t expected[256];

	assert_in_range(len, 1, sizeof(expected));
	vectors_get(&v, key, expected, len);
	assert_memory_equal(bytes, expected, len);
}

static void assert_cleared(const struct noise_handshake *hs)
{
	assert_true(is_zero_ct(hs, sizeof(*hs)));
}

/* Every byte of both messages and every key matches an independent implementation. */
static void test_transcripts(void **state)
{
	struct noise_keys i_keys, r_keys;
	struct pair p;

	(void)state;
	for (vectors_open(&v, "noise.txt"); vectors_next(&v);) {
		pair_from_vector(&p);
		assert_vector("initiator_public", p.i.id.public, WIRE_KEY_LEN);
		assert_vector("responder_public", p.r.id.public, WIRE_KEY_LEN);

		assert_true(send_initiation(&p));
		cookie_sign(&p.i.maker, &p.initiation, sizeof(p.initiation), 0);
		assert_vector("initiation", &p.initiation, sizeof(p.initiation));
		assert_vector("initiation_chaining_key", p.i.hs.chaining_key, WIRE_HASH_LEN);
		assert_vector("initiation_hash", p.i.hs.hash, WIRE_HASH_LEN);

		assert_true(noise_open_initiation(&p.initiation, &p.r.id, &p.incoming));
		assert_vector("initiator_public", p.incoming.remote_static, WIRE_KEY_LEN);
		assert_vector("open_chaining_key", p.incoming.chaining_key, WIRE_HASH_LEN);
		assert_vector("open_hash", p.incoming.hash, WIRE_HASH_LEN);
		assert_int_equal(noise_consume_initiation(&p.initiation, &p.incoming, &p.r.remote,
							  &p.r.hs),
				 NOISE_OK);
		assert_int_equal(p.r.hs.state, NOISE_CONSUMED_INITIATION);
		assert_int_equal(p.r.hs.remote_index, p.i.index);
		assert_vector("timestamp", p.r.remote.latest_timestamp, WIRE_TIMESTAMP_LEN);
		assert_vector("initiation_chaining_key", p.r.hs.chaining_key, WIRE_HASH_LEN);
		assert_vector("initiation_hash", p.r.hs.hash, WIRE_HASH_LEN);

		assert_true(send_response(&p));
		cookie_sign(&p.r.maker, &p.response, sizeof(p.response), 0);
		assert_vector("response", &p.response, sizeof(p.response));
		assert_vector("response_chaining_key", p.r.hs.chaining_key, WIRE_HASH_LEN);
		assert_vector("response_hash", p.r.hs.hash, WIRE_HASH_LEN);

		assert_true(receive_response(&p));
		assert_int_equal(p.i.hs.state, NOISE_CONSUMED_RESPONSE);
		assert_int_equal(p.i.hs.local_index, p.i.index);
		assert_int_equal(p.i.hs.remote_index, p.r.index);
		assert_vector("response_chaining_key", p.i.hs.chaining_key, WIRE_HASH_LEN);
		assert_vector("response_hash", p.i.hs.hash, WIRE_HASH_LEN);

		noise_derive_keys(&p.i.hs, &i_keys);
		noise_derive_keys(&p.r.hs, &r_keys);
		assert_vector("initiator_send", i_keys.send, AEAD_KEY_LEN);
		assert_vector("initiator_recv", i_keys.recv, AEAD_KEY_LEN);
		assert_memory_equal(r_keys.send, i_keys.recv, AEAD_KEY_LEN);
		assert_memory_equal(r_keys.recv, i_keys.send, AEAD_KEY_LEN);
		assert_cleared(&p.i.hs);
		assert_cleared(&p.r.hs);
	}
	assert_int_equal(v.blocks, 4);
}

/* Each altered byte makes a message invalid, and an invalid message changes nothing. test_cookie.c
 * alters the header, the sender index and the macs. */
static void test_initiation_flipped(void **state)
{
	struct pair p, before;

	(void)state;
	pair_at(&p, 0);
	assert_true(send_initiation(&p));
	memcpy(&before, &p, sizeof(p));
	for (size_t at = offsetof(struct wire_initiation, ephemeral);
	     at < offsetof(struct wire_initiation, macs); at++) {
		((uint8_t *)&p.initiation)[at] ^= 1U << at % 8;
		assert_int_equal(receive_initiation(&p), NOISE_BAD);
		((uint8_t *)&p.initiation)[at] ^= 1U << at % 8;
		assert_memory_equal(&p.r, &before.r, sizeof(p.r));
		/* If the static key does not authenticate, p.incoming is unchanged. */
		if (at < offsetof(struct wire_initiation, encrypted_timestamp))
			assert_true(is_zero_ct(&p.incoming, sizeof(p.incoming)));
	}
	/* X25519 ignores the top bit of the ephemeral key, but the transcript hash does not. */
	p.initiation.ephemeral[31] ^= 0x80;
	assert_int_equal(receive_initiation(&p), NOISE_BAD);
	p.initiation.ephemeral[31] ^= 0x80;
	assert_int_equal(receive_initiation(&p), NOISE_OK);
}

static void test_response_flipped(void **state)
{
	struct pair p, before;

	(void)state;
	pair_at(&p, 1);
	assert_true(send_response(&p));
	memcpy(&before, &p, sizeof(p));
	for (size_t at = offsetof(struct wire_response, receiver_index);
	     at < offsetof(struct wire_response, macs); at++) {
		((uint8_t *)&p.response)[at] ^= 1U << at % 8;
		assert_false(receive_response(&p));
		((uint8_t *)&p.response)[at] ^= 1U << at % 8;
		assert_memory_equal(&p.i, &before.i, sizeof(p.i));
	}
	assert_true(receive_response(&p));  /* the real response is still accepted */
	assert_false(receive_response(&p)); /* but only once */
}

/* [W] 5.1: each initiation needs a greater timestamp than the last one that was
 * accepted. */
static void test_replay(void **state)
{
	static const struct {
		int byte, delta;
		enum noise_verdict verdict;
	} table[] = {
		/* 1 */ { 11, 0, NOISE_OLD },
		/* 2 */ { 11, -1, NOISE_OLD },
		/* 3 */ { 8, -1, NOISE_OLD },
		/* 4 */ { 7, -1, NOISE_OLD },
		/* 5 */ { 0, -1, NOISE_OLD },
		/* 6 */ { 11, 1, NOISE_OK },
		/* 7 */ { 8, 1, NOISE_OK },
		/* 8 */ { 7, 1, NOISE_OK },
		/* 9 */ { 0, 1, NOISE_OK },
	};
	struct pair p, before;

	(void)state;
	for (size_t n = 0; n < COUNT(table); n++) {
		pair_at(&p, 0);
		memset(p.timestamp, 0x7f, sizeof(p.timestamp));
		assert_true(send_initiation(&p));
		assert_int_equal(receive_initiation(&p), NOISE_OK);
		p.timestamp[table[n].byte] += table[n].delta;
		p.i.ephemeral[0] ^= 8;
		assert_true(send_initiation(&p));
		memcpy(&before, &p, sizeof(p));
		assert_int_equal(receive_initiation(&p), table[n].verdict);
		if (table[n].verdict == NOISE_OK)
			assert_memory_equal(p.r.remote.latest_timestamp, p.timestamp,
					    WIRE_TIMESTAMP_LEN);
		else
			assert_memory_equal(&p.r, &before.r, sizeof(p.r));
	}
}

/* One wrong key anywhere makes the handshake fail. */
static void test_wrong_keys(void **state)
{
	static const uint8_t other_private[WIRE_KEY_LEN] = { 0x42 };
	struct node other;
	struct pair p;

	(void)state;
	node_init(&other, other_private);

	/* an initiation for another responder */
	pair_at(&p, 0);
	noise_remote_set(&p.i.remote, &p.i.id, other.id.public);
	assert_true(send_initiation(&p));
	assert_int_equal(receive_initiation(&p), NOISE_BAD);

	/* the sender claims a static key that it does not have */
	pair_at(&p, 0);
	memcpy(p.i.id.public, other.id.public, WIRE_KEY_LEN);
	noise_remote_set(&p.r.remote, &p.r.id, other.id.public);
	assert_true(send_initiation(&p));
	assert_int_equal(receive_initiation(&p), NOISE_BAD);
	assert_memory_equal(p.incoming.remote_static, other.id.public, WIRE_KEY_LEN);
	assert_cleared(&p.r.hs);

	/* a response for another initiator */
	pair_at(&p, 1);
	noise_remote_set(&p.r.remote, &p.r.id, other.id.public);
	assert_true(send_response(&p));
	assert_false(receive_response(&p));

	/* another preshared key: only the response depends on it */
	pair_at(&p, 1);
	p.r.remote.psk[31] ^= 1;
	assert_true(send_response(&p));
	assert_false(receive_response(&p));
	assert_int_equal(p.i.hs.state, NOISE_CREATED_INITIATION);
}

/* In each state of the handshake, a message that is not expected is refused and changes nothing. */
static void test_wrong_state(void **state)
{
	struct noise_handshake before;
	struct wire_response response;
	struct pair p;

	(void)state;
	pair_at(&p, 1);
	assert_true(send_response(&p));
	for (int s = NOISE_NONE; s <= NOISE_CONSUMED_RESPONSE; s++) {
		if (s != NOISE_CREATED_INITIATION) {
			pair_at(&p, 1);
			assert_true(send_response(&p));
			p.i.hs.state = (enum noise_state)s;
			memcpy(&before, &p.i.hs, sizeof(before));
			assert_false(receive_response(&p));
			assert_memory_equal(&p.i.hs, &before, sizeof(before));
		}
		if (s != NOISE_CONSUMED_INITIATION) {
			pair_at(&p, 1);
			p.r.hs.state = (enum noise_state)s;
			memcpy(&before, &p.r.hs, sizeof(before));
			assert_false(send_response(&p));
			assert_memory_equal(&p.r.hs, &before, sizeof(before));
		}
	}

	/* a response to an earlier initiation, after a later one was sent */
	pair_at(&p, 1);
	assert_true(send_response(&p));
	response = p.response;
	p.i.ephemeral[0] ^= 8;
	p.i.index++;
	assert_true(send_initiation(&p));
	assert_false(receive_response(&p));
	response.receiver_index = htole32(p.i.index);
	p.response = response;
	assert_false(receive_response(&p));
}

/* Both sides begin a handshake at the same time. Consuming the other side's initiation does not
 * change our local index. */
static void test_crossed(void **state)
{
	struct pair p;

	(void)state;
	pair_at(&p, 0);
	assert_true(send_initiation(&p));
	assert_true(noise_create_initiation(&(struct wire_initiation){ 0 }, &p.r.hs, &p.r.id,
					    &p.r.remote, p.r.ephemeral, p.timestamp, 77));
	assert_int_equal(receive_initiation(&p), NOISE_OK);
	assert_int_equal(p.r.hs.state, NOISE_CONSUMED_INITIATION);
	assert_int_equal(p.r.hs.local_index, 77);
	assert_true(is_zero_ct(p.r.hs.ephemeral_private, WIRE_KEY_LEN));
	assert_true(send_response(&p));
	assert_int_equal(p.r.hs.local_index, p.r.index);
	assert_true(receive_response(&p));
}

/* Without a private key no message is made or opened. */
static void test_no_identity(void **state)
{
	static const uint8_t none[WIRE_KEY_LEN];
	struct pair p;

	(void)state;
	pair_at(&p, 0);
	assert_true(send_initiation(&p));
	noise_identity_set(&p.r.id, none);
	assert_false(p.r.id.set);
	assert_true(is_zero_ct(&p.r.id, sizeof(p.r.id)));
	assert_int_equal(receive_initiation(&p), NOISE_BAD);

	memset(&p.r.hs, 0xa5, sizeof(p.r.hs));
	assert_false(noise_create_initiation(&p.initiation, &p.r.hs, &p.r.id, &p.r.remote,
					     p.r.ephemeral, p.timestamp, 1));
	assert_cleared(&p.r.hs);

	/* While no private key is set, the shared secret of the two static keys stays zero. */
	noise_remote_set(&p.r.remote, &p.r.id, p.i.id.public);
	assert_true(is_zero_ct(p.r.remote.static_static, WIRE_KEY_LEN));
}

static void test_identity(void **state)
{
	uint8_t ones[WIRE_KEY_LEN];
	struct noise_identity id;

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	noise_identity_set(&id, ones);
	assert_true(id.set);
	assert_int_equal(id.private[0], 0xf8);
	assert_int_equal(id.private[31], 0x7f);
	noise_identity_wipe(&id);
	assert_true(is_zero_ct(&id, sizeof(id)));
}

/* No message is sent to a peer with a low-order key, and none is accepted from it. */
static void test_low_order(void **state)
{
	static const uint8_t low[][WIRE_KEY_LEN] = {
		/* 1 */ { 0 },
		/* 2 */ { 1 },
		/* 3: of order 8 */
		{ 0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
		  0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
		  0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00 },
	};
	struct noise_remote before;
	struct pair p;

	(void)state;
	for (size_t n = 0; n < COUNT(low); n++) {
		/* a low-order static key of the peer */
		pair_at(&p, 1);
		memcpy(&before, &p.i.remote, sizeof(before));
		noise_remote_set(&p.i.remote, &p.i.id, low[n]);
		assert_true(is_zero_ct(p.i.remote.static_static, WIRE_KEY_LEN));
		assert_memory_equal(p.i.remote.psk, before.psk, WIRE_KEY_LEN);
		assert_memory_equal(p.i.remote.latest_timestamp, before.latest_timestamp,
				    WIRE_TIMESTAMP_LEN);
		assert_false(send_initiation(&p));
		assert_cleared(&p.i.hs);

		pair_at(&p, 0);
		assert_true(send_initiation(&p));
		noise_remote_set(&p.r.remote, &p.r.id, low[n]);
		assert_int_equal(receive_initiation(&p), NOISE_BAD);
		assert_cleared(&p.r.hs);

		/* a low-order ephemeral key in each message */
		pair_at(&p, 0);
		assert_true(send_initiation(&p));
		memcpy(p.initiation.ephemeral, low[n], WIRE_KEY_LEN);
		assert_int_equal(receive_initiation(&p), NOISE_BAD);

		pair_at(&p, 1);
		memcpy(p.r.hs.remote_ephemeral, low[n], WIRE_KEY_LEN);
		assert_false(send_response(&p));
		assert_cleared(&p.r.hs);

		pair_at(&p, 1);
		assert_true(send_response(&p));
		memcpy(p.response.ephemeral, low[n], WIRE_KEY_LEN);
		assert_false(receive_response(&p));
		assert_int_equal(p.i.hs.state, NOISE_CREATED_INITIATION);
	}
}

/* An attacker without any private key claims a low-order public key. The DH result of the two
 * static keys would be zero, so the attacker could compute every key of an initiation. Such an
 * initiation must be refused. */
static void test_forged_low_order(void **state)
{
	static const uint8_t zeros[WIRE_KEY_LEN];
	uint8_t key[AEAD_KEY_LEN], chaining_key[WIRE_HASH_LEN];
	struct pair p;

	(void)state;
	pair_at(&p, 0);
	memset(p.i.id.public, 0, WIRE_KEY_LEN);
	assert_true(send_initiation(&p));
	assert_true(noise_open_initiation(&p.initiation, &p.r.id, &p.incoming));
	assert_memory_equal(p.incoming.remote_static, zeros, WIRE_KEY_LEN);
	kdf2(chaining_key, key, p.incoming.chaining_key, zeros, sizeof(zeros));
	aead_seal_ad(p.initiation.encrypted_timestamp, p.timestamp, sizeof(p.timestamp),
		     p.incoming.hash, WIRE_HASH_LEN, 0, key);

	noise_remote_set(&p.r.remote, &p.r.id, zeros);
	assert_int_equal(receive_initiation(&p), NOISE_BAD);
	assert_cleared(&p.r.hs);
}

static void test_tai64n(void **state)
{
	static const struct {
		uint64_t unix_ns;
		uint8_t out[WIRE_TIMESTAMP_LEN];
	} table[] = {
		/* 1 */ { 0, { 0x40, 0, 0, 0, 0, 0, 0, 0x0a } },
		/* 2 */ { (1 << 24) - 1, { 0x40, 0, 0, 0, 0, 0, 0, 0x0a } },
		/* 3 */ { 1 << 24, { 0x40, 0, 0, 0, 0, 0, 0, 0x0a, 0x01 } },
		/* 4: timestamps grow in steps of 2^24 ns; the last step of a second is shorter */
		{ NS_PER_S - 1, { 0x40, 0, 0, 0, 0, 0, 0, 0x0a, 0x3b } },
		/* 5 */ { NS_PER_S, { 0x40, 0, 0, 0, 0, 0, 0, 0x0b } },
		/* 6: 2021-01-01 00:00:00.5 */
		{ 1609459200ULL * NS_PER_S + NS_PER_S / 2,
		  { 0x40, 0, 0, 0, 0x5f, 0xee, 0x66, 0x0a, 0x1d } },
		/* 7 */ { UINT64_MAX, { 0x40, 0, 0, 0x04, 0x4b, 0x82, 0xfa, 0x13, 0x2a } },
	};
	uint8_t out[WIRE_TIMESTAMP_LEN], last[WIRE_TIMESTAMP_LEN];

	(void)state;
	for (size_t n = 0; n < COUNT(table); n++) {
		noise_tai64n(out, table[n].unix_ns);
		assert_memory_equal(out, table[n].out, sizeof(out));
	}
	/* The timestamp always grows within 2^24 ns, and never decreases. */
	noise_tai64n(last, 0);
	for (uint64_t t = 1 << 24; t < 5 * NS_PER_S; t += 1 << 24) {
		noise_tai64n(out, t);
		assert_true(memcmp(out, last, sizeof(out)) > 0);
		memcpy(last, out, sizeof(last));
		noise_tai64n(out, t + 12345);
		assert_true(memcmp(out, last, sizeof(out)) >= 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transcripts),	 cmocka_unit_test(test_initiation_flipped),
		cmocka_unit_test(test_response_flipped), cmocka_unit_test(test_replay),
		cmocka_unit_test(test_wrong_keys),	 cmocka_unit_test(test_wrong_state),
		cmocka_unit_test(test_crossed),		 cmocka_unit_test(test_no_identity),
		cmocka_unit_test(test_identity),	 cmocka_unit_test(test_low_order),
		cmocka_unit_test(test_forged_low_order), cmocka_unit_test(test_tai64n),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
