/* SPDX-License-Identifier: MIT */
/*
 * cookie.h - mac1, mac2 and cookie replies, [W] 5.3, 5.4.4, 5.4.7. The two roles are two types:
 *   checker: we receive handshakes and may be under load   (one a device)
 *   maker:   we send handshakes and may be told to wait    (one a peer)
 * Time and randomness are arguments. Control thread only.
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
	uint8_t secret[WIRE_HASH_LEN];	   /* Rm, changed every COOKIE_SECRET_MAX_AGE_S */
	uint64_t secret_born_ns;	   /* BOOTTIME; meaningless until has_secret */
	bool has_secret;
};

struct cookie_maker {
	uint8_t mac1_key[WIRE_HASH_LEN]; /* of the peer's public key */
	uint8_t cookie_key[WIRE_HASH_LEN];
	uint8_t cookie[WIRE_COOKIE_LEN];
	uint8_t last_mac1[WIRE_MAC_LEN]; /* of the message that a cookie reply would answer */
	uint64_t cookie_born_ns;
	bool has_cookie, sent_mac1;
};

enum cookie_verdict {
	COOKIE_BAD_MAC1,   /* drop */
	COOKIE_MAC1_ONLY,  /* knows our public key; under load: answer with a cookie reply */
	COOKIE_MAC2_VALID, /* its source address is proven as well */
};

/* Keys of a checker for our @public key; a secret is made at first use. */
void cookie_checker_init(struct cookie_checker *c, const uint8_t public[static WIRE_KEY_LEN]);
void cookie_checker_wipe(struct cookie_checker *c);

/* Checks the macs that end the @len bytes of @msg (an initiation or response, length checked).
 * mac2 is bound to @from's remote address and port; once the secret is due, none is valid. */
enum cookie_verdict cookie_check(const struct cookie_checker *c, const void *msg, size_t len,
				 const struct endpoint *from, uint64_t now_ns);

/* True if cookie_reply() would need a new secret now: the caller must pass 32 random bytes then. */
bool cookie_secret_due(const struct cookie_checker *c, uint64_t now_ns);

/* Installs a new secret Rm. The previous cookies are worthless from then on. */
void cookie_secret_set(struct cookie_checker *c, const uint8_t secret[static WIRE_HASH_LEN],
		       uint64_t now_ns);

/* [W] 5.4.7. Makes the reply to @msg from @from. @nonce: 24 random bytes; @receiver_index: the
 * sender index of msg, as on the wire. A secret must have been set and not be due. */
void cookie_reply(struct wire_cookie *reply, const struct cookie_checker *c, const void *msg,
		  size_t len, const struct endpoint *from, __le32 receiver_index,
		  const uint8_t nonce[static WIRE_COOKIE_NONCE_LEN]);

/* Keys of a maker for the peer with @public key; forgets any cookie. */
void cookie_maker_init(struct cookie_maker *m, const uint8_t public[static WIRE_KEY_LEN]);
void cookie_maker_wipe(struct cookie_maker *m);

/* Writes mac1 and mac2 at the end of the @len bytes of @msg, and remembers mac1. */
void cookie_sign(struct cookie_maker *m, void *msg, size_t len, uint64_t now_ns);

/* Consumes a cookie reply to the message signed last. Returns false, with nothing changed, when it
 * does not authenticate or nothing was sent. Each mac1 is good for one reply. */
bool cookie_consume(struct cookie_maker *m, const struct wire_cookie *reply, uint64_t now_ns)
	__attribute__((warn_unused_result));

#endif
