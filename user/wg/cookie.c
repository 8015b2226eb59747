/* SPDX-License-Identifier: MIT */
/*
 * cookie.c - the MACs and cookies that the two sides exchange, and what each of them proves
 * ([W] 5.4.4 and 5.4.7):
 *
 *   maker                                          checker
 *   mac1 = MAC(HASH("mac1----" || Spub), msg) ───▶ the sender knows our public key
 *                                                  under load, mac2 absent or wrong:
 *                             cookie = MAC(secret, address || port)
 *   decrypt, keep 115 s ◀ XAEAD(HASH("cookie--" || Spub), nonce, cookie, ad = mac1)
 *   mac2 = MAC(cookie, msg || mac1) ─────────────▶ the sender receives at its source address
 *
 * The checker keeps one secret and no state for any sender.
 */
#include "wg/cookie.h"

#include <string.h>

#include "crypto/aead.h"
#include "crypto/wipe.h"
#include "wg/kdf.h"
#include "wgxdp/limits.h"

#define LABEL_LEN 8
#define LABEL_MAC1 "mac1----"
#define LABEL_COOKIE "cookie--"

#define MAKER_COOKIE_AGE_S (COOKIE_SECRET_MAX_AGE_S - COOKIE_SECRET_LATENCY_S)

/* The subtraction is unsigned, so a @born_ns in the future counts as expired. */
static bool is_expired(uint64_t born_ns, uint64_t age_s, uint64_t now_ns)
{
	return now_ns - born_ns >= age_s * NS_PER_S;
}

static void derive_keys(uint8_t mac1_key[static WIRE_HASH_LEN],
			uint8_t cookie_key[static WIRE_HASH_LEN],
			const uint8_t public[static WIRE_KEY_LEN])
{
	kdf_hash(mac1_key, LABEL_MAC1, LABEL_LEN, public, WIRE_KEY_LEN);
	kdf_hash(cookie_key, LABEL_COOKIE, LABEL_LEN, public, WIRE_KEY_LEN);
}

static size_t macs_offset(size_t len)
{
	return len - sizeof(struct wire_macs);
}

/* struct wire_macs has alignment 1, so the cast is valid at any address. */
static const struct wire_macs *macs_of(const void *msg, size_t len)
{
	return (const struct wire_macs *)((const uint8_t *)msg + macs_offset(len));
}

/* mac1 covers everything before mac1. mac2 covers everything before mac2, including mac1. */
static void compute_mac1(uint8_t mac1[static WIRE_MAC_LEN], const uint8_t key[static WIRE_HASH_LEN],
			 const void *msg, size_t len)
{
	kdf_mac(mac1, key, WIRE_HASH_LEN, msg, macs_offset(len));
}

static void compute_mac2(uint8_t mac2[static WIRE_MAC_LEN],
			 const uint8_t cookie[static WIRE_COOKIE_LEN], const void *msg, size_t len)
{
	kdf_mac(mac2, cookie, WIRE_COOKIE_LEN, msg, macs_offset(len) + WIRE_MAC_LEN);
}

/* The cookie of a source is the MAC of its address and port, both in network order. */
static void make_cookie(uint8_t cookie[static WIRE_COOKIE_LEN], const struct cookie_checker *c,
			const struct endpoint *from)
{
	uint8_t source[sizeof(struct in6_addr) + sizeof(in_port_t)];
	const struct sockaddr_in *v4 = &from->remote.v4;
	const struct sockaddr_in6 *v6 = &from->remote.v6;
	size_t len;

	if (from->remote.sa.sa_family == AF_INET) {
		len = sizeof(v4->sin_addr);
		memcpy(source, &v4->sin_addr, len);
		memcpy(source + len, &v4->sin_port, sizeof(v4->sin_port));
	} else {
		len = sizeof(v6->sin6_addr);
		memcpy(source, &v6->sin6_addr, len);
		memcpy(source + len, &v6->sin6_port, sizeof(v6->sin6_port));
	}
	kdf_mac(cookie, c->secret, WIRE_HASH_LEN, source, len + sizeof(in_port_t));
}

void cookie_checker_init(struct cookie_checker *c, const uint8_t public[static WIRE_KEY_LEN])
{
	cookie_checker_wipe(c);
	derive_keys(c->mac1_key, c->cookie_key, public);
}

void cookie_checker_wipe(struct cookie_checker *c)
{
	wipe(c, sizeof(*c));
}

bool cookie_secret_due(const struct cookie_checker *c, uint64_t now_ns)
{
	return !c->has_secret || is_expired(c->secret_born_ns, COOKIE_SECRET_MAX_AGE_S, now_ns);
}

void cookie_secret_set(struct cookie_checker *c, const uint8_t secret[static WIRE_HASH_LEN],
		       uint64_t now_ns)
{
	memcpy(c->secret, secret, WIRE_HASH_LEN);
	c->secret_born_ns = now_ns;
	c->has_secret = true;
}

enum cookie_verdict cookie_check(const struct cookie_checker *c, const void *msg, size_t len,
				 const struct endpoint *from, uint64_t now_ns)
{
	const struct wire_macs *macs = macs_of(msg, len);
	enum cookie_verdict verdict = COOKIE_BAD_MAC1;
	uint8_t mac[WIRE_MAC_LEN], cookie[WIRE_COOKIE_LEN];

	compute_mac1(mac, c->mac1_key, msg, len);
	if (!equal_ct(mac, macs->mac1, WIRE_MAC_LEN))
		goto out;

	verdict = COOKIE_MAC1_ONLY;
	if (cookie_secret_due(c, now_ns))
		goto out;
	make_cookie(cookie, c, from);
	compute_mac2(mac, cookie, msg, len);
	if (equal_ct(mac, macs->mac2, WIRE_MAC_LEN))
		verdict = COOKIE_MAC2_VALID;
out:
	wipe(mac, sizeof(mac));
	wipe(cookie, sizeof(cookie));
	return verdict;
}

void cookie_reply(struct wire_cookie *reply, const struct cookie_checker *c, const void *msg,
		  size_t len, const struct endpoint *from, __le32 receiver_index,
		  const uint8_t nonce[static WIRE_COOKIE_NONCE_LEN])
{
	uint8_t cookie[WIRE_COOKIE_LEN];

	make_cookie(cookie, c, from);
	reply->header = (struct wire_header){ .type = WIRE_COOKIE };
	reply->receiver_index = receiver_index;
	memcpy(reply->nonce, nonce, WIRE_COOKIE_NONCE_LEN);
	aead_xseal(reply->encrypted_cookie, cookie, sizeof(cookie), macs_of(msg, len)->mac1,
		   WIRE_MAC_LEN, reply->nonce, c->cookie_key);
	wipe(cookie, sizeof(cookie));
}

void cookie_maker_init(struct cookie_maker *m, const uint8_t public[static WIRE_KEY_LEN])
{
	cookie_maker_wipe(m);
	derive_keys(m->mac1_key, m->cookie_key, public);
}

void cookie_maker_wipe(struct cookie_maker *m)
{
	wipe(m, sizeof(*m));
}

void cookie_sign(struct cookie_maker *m, void *msg, size_t len, uint64_t now_ns)
{
	struct wire_macs *macs = (struct wire_macs *)((uint8_t *)msg + macs_offset(len));

	compute_mac1(macs->mac1, m->mac1_key, msg, len);
	memcpy(m->last_mac1, macs->mac1, WIRE_MAC_LEN);
	m->sent_mac1 = true;

	if (m->has_cookie && is_expired(m->cookie_born_ns, MAKER_COOKIE_AGE_S, now_ns)) {
		wipe(m->cookie, sizeof(m->cookie));
		m->has_cookie = false;
	}
	if (m->has_cookie)
		compute_mac2(macs->mac2, m->cookie, msg, len);
	else
		memset(macs->mac2, 0, WIRE_MAC_LEN);
}

bool cookie_consume(struct cookie_maker *m, const struct wire_cookie *reply, uint64_t now_ns)
{
	uint8_t cookie[WIRE_COOKIE_LEN];
	bool ok = false;

	if (!m->sent_mac1)
		goto out;
	if (!aead_xopen(cookie, reply->encrypted_cookie, sizeof(reply->encrypted_cookie),
			m->last_mac1, WIRE_MAC_LEN, reply->nonce, m->cookie_key))
		goto out;

	memcpy(m->cookie, cookie, WIRE_COOKIE_LEN);
	m->cookie_born_ns = now_ns;
	m->has_cookie = true;
	m->sent_mac1 = false;
	ok = true;
out:
	wipe(cookie, sizeof(cookie));
	return ok;
}
