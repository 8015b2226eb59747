/* SPDX-License-Identifier: MIT */
/*
 * cookie.h - mac1, mac2 and cookie replies ([W] 5.3, 5.4.4, 5.4.7). The two roles are
 * two types:
 *
 *   checker   receives handshakes and may be under load         one per device
 *   maker     sends handshakes and may get a cookie reply       one per peer
 *
 * cookie.c has a diagram of the exchange. Time and randomness are arguments. Only the control
 * thread calls these functions.
 */
#ifndef WGXDP_COOKIE_H
#define WGXDP_COOKIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wg/endpoint.h"
#include "wgxdp/wire.h"

struct cookie_checker {
	uint8_t mac1_key[WIRE_HASH_LEN];   /* HASH(label-mac1 || our public key) */
	uint8_t cookie_key[WIRE_HASH_LEN]; /* HASH(label-cookie || our public key) */
	uint8_t secret[WIRE_HASH_LEN];	   /* Rm, used for COOKIE_SECRET_MAX_AGE_S */
	uint64_t secret_born_ns;	   /* BOOTTIME; valid if has_secret */
	bool has_secret;
};

struct cookie_maker {
	uint8_t mac1_key[WIRE_HASH_LEN]; /* HASH(label-mac1 || the peer's public key) */
	uint8_t cookie_key[WIRE_HASH_LEN];
	uint8_t cookie[WIRE_COOKIE_LEN];
	uint8_t last_mac1[WIRE_MAC_LEN]; /* mac1 of the last message that was sent */
	uint64_t cookie_born_ns;	 /* BOOTTIME; valid if has_cookie */
	bool has_cookie,
		sent_mac1; /* last_mac1 is set, and no cookie reply to that message has come */
};

enum cookie_verdict {
	COOKIE_BAD_MAC1,   /* drop */
	COOKIE_MAC1_ONLY,  /* the sender knows our public key; under load: send a cookie reply */
	COOKIE_MAC2_VALID, /* also proves that the sender receives at its address */
};

/* Derives the keys of a checker for our @public key. The secret is not set, see
 * cookie_secret_set(). */
void cookie_checker_init(struct cookie_checker *c, const uint8_t public[static WIRE_KEY_LEN]);
void cookie_checker_wipe(struct cookie_checker *c);

/* Checks mac1 and mac2 at the end of the @len bytes of @msg, an initiation or response whose length
 * the caller has validated. A mac2 is valid only for the remote address and port of @from. No mac2
 * is valid while cookie_secret_due() returns true. */
enum cookie_verdict cookie_check(const struct cookie_checker *c, const void *msg, size_t len,
				 const struct endpoint *from, uint64_t now_ns);

/* Returns true if the secret is missing or too old. The caller must then set a new one before
 * cookie_reply(). */
bool cookie_secret_due(const struct cookie_checker *c, uint64_t now_ns);

/* Sets the secret Rm to @secret, 32 random bytes. Cookies made with the old secret become
 * invalid. */
void cookie_secret_set(struct cookie_checker *c, const uint8_t secret[static WIRE_HASH_LEN],
		       uint64_t now_ns);

/* Makes the cookie reply to @msg, which came from @from ([W] 5.4.7). @nonce: 24 random
 * bytes. @receiver_index: the sender index of @msg as on the wire. Call only while
 * cookie_secret_due() is false. */
void cookie_reply(struct wire_cookie *reply, const struct cookie_checker *c, const void *msg,
		  size_t len, const struct endpoint *from, __le32 receiver_index,
		  const uint8_t nonce[static WIRE_COOKIE_NONCE_LEN]);

/* Derives the keys of a maker for the peer with the @public key and wipes any cookie. */
void cookie_maker_init(struct cookie_maker *m, const uint8_t public[static WIRE_KEY_LEN]);
void cookie_maker_wipe(struct cookie_maker *m);

/* Writes mac1 and mac2 at the end of the @len bytes of @msg, and records mac1. mac2 is zero if
 * there is no valid cookie. */
void cookie_sign(struct cookie_maker *m, void *msg, size_t len, uint64_t now_ns);

/* Consumes a cookie reply to the message that was signed last. Returns false, with nothing changed,
 * if the reply does not authenticate or if a reply to that message was consumed before. */
bool cookie_consume(struct cookie_maker *m, const struct wire_cookie *reply, uint64_t now_ns)
	__attribute__((warn_unused_result));

#endif
