/* SPDX-License-Identifier: MIT */
/*
 * noise.h - Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s: makes and consumes the two handshake messages
 * (Noise specification, 7 and 9; [W] 5.4). Time, randomness and peers are arguments.
 * cookie.h computes and checks mac1 and mac2 of the messages.
 *
 *     <- s                      the initiator knows the responder's static key
 *     -> e, es, s, ss, {t}      initiation
 *     <- e, ee, se, psk, {}     response
 *
 * Only the control thread calls these functions.
 */
#ifndef WGXDP_NOISE_H
#define WGXDP_NOISE_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/aead.h"
#include "wgxdp/wire.h"

/* Our own static key pair. */
struct noise_identity {
	uint8_t private[WIRE_KEY_LEN]; /* clamped; all zero = none set */
	uint8_t public[WIRE_KEY_LEN];
	bool set;
};

/* The keys of a peer, and the state that is kept from one handshake to the next. */
struct noise_remote {
	uint8_t public[WIRE_KEY_LEN];
	uint8_t psk[WIRE_KEY_LEN];	     /* all zero = none */
	uint8_t static_static[WIRE_KEY_LEN]; /* DH(ours, theirs); zero = no handshake possible */
	bool stale; /* our key has changed, and static_static must be derived again */
	uint8_t latest_timestamp[WIRE_TIMESTAMP_LEN]; /* newest received TAI64N; detects replays */
};

enum noise_state {
	NOISE_NONE = 0,
	NOISE_CREATED_INITIATION,
	NOISE_CONSUMED_INITIATION,
	NOISE_CREATED_RESPONSE,
	NOISE_CONSUMED_RESPONSE,
};

/* A handshake in progress. noise_handshake_clear() wipes it. */
struct noise_handshake {
	enum noise_state state;
	uint32_t local_index, remote_index; /* host order */
	uint8_t ephemeral_private[WIRE_KEY_LEN];
	uint8_t remote_ephemeral[WIRE_KEY_LEN];
	uint8_t hash[WIRE_HASH_LEN];
	uint8_t chaining_key[WIRE_HASH_LEN];
};

/* The two transport keys ([W] 5.4.5). The caller wipes them after use. */
struct noise_keys {
	uint8_t send[AEAD_KEY_LEN];
	uint8_t recv[AEAD_KEY_LEN];
};

/* Sets our private key, which is clamped, and its public key. 32 zeros clear both. */
void noise_identity_set(struct noise_identity *id, const uint8_t private[static WIRE_KEY_LEN]);
void noise_identity_wipe(struct noise_identity *id);

/* Sets the peer's key and derives static_static. If the key is of low order or we have no key,
 * static_static is zero, and no handshake with the peer succeeds. psk and latest_timestamp stay the
 * same. @public may be r->public. */
void noise_remote_set(struct noise_remote *r, const struct noise_identity *id,
		      const uint8_t public[static WIRE_KEY_LEN]);

/* Wipes static_static after our key was replaced. Deriving static_static again takes one X25519
 * computation (about 50 us), which is too much for many peers at once. Therefore
 * noise_remote_unusable() derives it later, when a handshake with the peer is due. */
void noise_remote_expire(struct noise_remote *r);

/* Returns true if we have a key, but no handshake is possible with the peer's key. Derives
 * static_static first if it is stale. While static_static is stale, no initiation to or from the
 * peer can be made or authenticated. */
bool noise_remote_unusable(struct noise_remote *r, const struct noise_identity *id);

void noise_handshake_clear(struct noise_handshake *hs);

/* Makes an initiation to @r without the macs ([W] 5.4.2). The old contents of @hs are
 * wiped. @ephemeral: 32 fresh random bytes, clamped here. @timestamp: TAI64N, greater than any sent
 * before. @local_index: host order. Returns false, with @hs cleared, if we have no key or the
 * peer's key is of low order. */
bool noise_create_initiation(struct wire_initiation *msg, struct noise_handshake *hs,
			     const struct noise_identity *id, const struct noise_remote *r,
			     const uint8_t ephemeral[static WIRE_KEY_LEN],
			     const uint8_t timestamp[static WIRE_TIMESTAMP_LEN],
			     uint32_t local_index) __attribute__((warn_unused_result));

/* The decrypted first part of an initiation, which names the peer. The caller wipes it. */
struct noise_incoming {
	uint8_t remote_static[WIRE_KEY_LEN];
	uint8_t hash[WIRE_HASH_LEN];
	uint8_t chaining_key[WIRE_HASH_LEN];
};

/* First half of consuming an initiation: decrypts the static key of the sender. Changes no state.
 * Returns false if the encrypted key does not authenticate. On success the caller looks up the peer
 * by in->remote_static. */
bool noise_open_initiation(const struct wire_initiation *msg, const struct noise_identity *id,
			   struct noise_incoming *in) __attribute__((warn_unused_result));

enum noise_verdict {
	NOISE_OK = 0,
	NOISE_BAD, /* the message did not authenticate */
	NOISE_OLD, /* authentic, but its timestamp is not newer than the last one: a replay */
};

/* Second half of consuming an initiation: authenticates the peer and its timestamp. After NOISE_OK,
 * @hs is in state NOISE_CONSUMED_INITIATION and r->latest_timestamp is updated; otherwise nothing
 * changes. hs->local_index stays the same: if @hs was a pending initiation, the caller must remove
 * its index. */
enum noise_verdict noise_consume_initiation(const struct wire_initiation *msg,
					    const struct noise_incoming *in, struct noise_remote *r,
					    struct noise_handshake *hs)
	__attribute__((warn_unused_result));

/* Makes the response without its macs ([W] 5.4.3). @ephemeral and @local_index as in
 * noise_create_initiation(). Returns false with nothing changed if @hs is not in
 * NOISE_CONSUMED_INITIATION, and false with @hs cleared if a key of the peer is of low order. */
bool noise_create_response(struct wire_response *msg, struct noise_handshake *hs,
			   const struct noise_remote *r,
			   const uint8_t ephemeral[static WIRE_KEY_LEN], uint32_t local_index)
	__attribute__((warn_unused_result));

/* Consumes the response to our initiation in @hs. Returns false and changes nothing if the response
 * does not authenticate or does not name hs->local_index, so that the real response is still
 * accepted. */
bool noise_consume_response(const struct wire_response *msg, struct noise_handshake *hs,
			    const struct noise_identity *id, const struct noise_remote *r)
	__attribute__((warn_unused_result));

/* Derives the transport keys of a completed handshake ([W] 5.4.5) and clears @hs with
 * its indices. In the state NOISE_CONSUMED_RESPONSE we are the initiator, else the responder. */
void noise_derive_keys(struct noise_handshake *hs, struct noise_keys *keys);

/* Writes @unix_ns as TAI64N ([W] 5.1). Rounds the ns within the second down to a
 * multiple of 2^24, so that the timestamp does not reveal our precise clock. */
void noise_tai64n(uint8_t out[static WIRE_TIMESTAMP_LEN], uint64_t unix_ns);

#endif
