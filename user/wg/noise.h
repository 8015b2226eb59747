/* SPDX-License-Identifier: MIT */
/*
 * noise.h - Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s, [N] 7, 9 and [W] 5.4: the two handshake
 * messages, made and consumed. No clock, no randomness, no peer table of its own: they are
 * arguments. macs are not touched here, see cookie.h.
 *
 *     <- s                      the initiator knows the responder's static key
 *     -> e, es, s, ss, {t}      initiation
 *     <- e, ee, se, psk, {}     response
 *
 * Control thread only.
 */
#ifndef WGXDP_NOISE_H
#define WGXDP_NOISE_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/aead.h"
#include "wgxdp/wire.h"

/* Our own static key pair and what is derived from it once. */
struct noise_identity {
	uint8_t private[WIRE_KEY_LEN]; /* clamped; all zero = none set */
	uint8_t public[WIRE_KEY_LEN];
	bool set;
};

/* What is fixed for a peer as long as its key and ours stay. */
struct noise_remote {
	uint8_t public[WIRE_KEY_LEN];
	uint8_t psk[WIRE_KEY_LEN];	     /* all zero = none */
	uint8_t static_static[WIRE_KEY_LEN]; /* DH(ours, theirs); all zero = unusable (low order) */
	uint8_t latest_timestamp[WIRE_TIMESTAMP_LEN]; /* newest TAI64N of theirs, against replay */
};

enum noise_state {
	NOISE_NONE = 0,
	NOISE_CREATED_INITIATION,
	NOISE_CONSUMED_INITIATION,
	NOISE_CREATED_RESPONSE,
	NOISE_CONSUMED_RESPONSE,
};

/* A handshake under way; one per peer. noise_handshake_clear() wipes it. */
struct noise_handshake {
	enum noise_state state;
	uint32_t local_index, remote_index; /* host order */
	uint8_t ephemeral_private[WIRE_KEY_LEN];
	uint8_t remote_ephemeral[WIRE_KEY_LEN];
	uint8_t hash[WIRE_HASH_LEN];
	uint8_t chaining_key[WIRE_HASH_LEN];
};

/* The two transport keys, [W] 5.4.5. Wipe after use. */
struct noise_keys {
	uint8_t send[AEAD_KEY_LEN];
	uint8_t recv[AEAD_KEY_LEN];
};

/* Sets our private key (clamped here) and its public half; all zero @private clears both. */
void noise_identity_set(struct noise_identity *id, const uint8_t private[static WIRE_KEY_LEN]);
void noise_identity_wipe(struct noise_identity *id);

/* Sets the peer's key and derives static_static. A low-order key gives zeros there: every message
 * to or from it then fails. psk and timestamp are left alone. */
void noise_remote_set(struct noise_remote *r, const struct noise_identity *id,
		      const uint8_t public[static WIRE_KEY_LEN]);

/* Is it a key with which, in spite of our having one, no handshake can be? */
bool noise_remote_unusable(const struct noise_remote *r, const struct noise_identity *id);

void noise_handshake_clear(struct noise_handshake *hs);

/* [W] 5.4.2. Makes an initiation to @r, all but its macs; @hs is begun anew.
 * @ephemeral: 32 fresh random bytes, clamped here. @timestamp: TAI64N, greater than any sent before.
 * Returns false, @hs cleared, when we have no key or the peer's is low order. */
bool noise_create_initiation(struct wire_initiation *msg, struct noise_handshake *hs,
			     const struct noise_identity *id, const struct noise_remote *r,
			     const uint8_t ephemeral[static WIRE_KEY_LEN],
			     const uint8_t timestamp[static WIRE_TIMESTAMP_LEN],
			     uint32_t local_index) __attribute__((warn_unused_result));

/* What an initiation says before we know whose it is. Wiped by whoever holds it, at its one exit. */
struct noise_incoming {
	uint8_t remote_static[WIRE_KEY_LEN];
	uint8_t hash[WIRE_HASH_LEN];
	uint8_t chaining_key[WIRE_HASH_LEN];
};

/* First half of consuming an initiation: opens the sender's static key. Changes no state.
 * Returns false when it does not authenticate. The caller finds the peer by in->remote_static. */
bool noise_open_initiation(const struct wire_initiation *msg, const struct noise_identity *id,
			   struct noise_incoming *in) __attribute__((warn_unused_result));

enum noise_verdict {
	NOISE_OK = 0,
	NOISE_BAD, /* did not authenticate */
	NOISE_OLD, /* authentic, but its timestamp is not newer than the last: a replay */
};

/* Second half: proves the peer and reads its timestamp. On NOISE_OK @hs is in state
 * NOISE_CONSUMED_INITIATION and r->latest_timestamp is updated; else nothing is changed.
 * hs->local_index is left alone: what it named is the caller's to forget. */
enum noise_verdict noise_consume_initiation(const struct wire_initiation *msg,
					    const struct noise_incoming *in, struct noise_remote *r,
					    struct noise_handshake *hs)
	__attribute__((warn_unused_result));

/* [W] 5.4.3. Makes the response, all but its macs; @hs must be in NOISE_CONSUMED_INITIATION (else
 * false, nothing changed). Returns false, @hs cleared, on a low-order ephemeral. */
bool noise_create_response(struct wire_response *msg, struct noise_handshake *hs,
			   const struct noise_remote *r,
			   const uint8_t ephemeral[static WIRE_KEY_LEN], uint32_t local_index)
	__attribute__((warn_unused_result));

/* Consumes the response to our initiation in @hs. Returns false and changes nothing when it does
 * not authenticate, or not name hs->local_index: the true response may still come. */
bool noise_consume_response(const struct wire_response *msg, struct noise_handshake *hs,
			    const struct noise_identity *id, const struct noise_remote *r)
	__attribute__((warn_unused_result));

/* [W] 5.4.5. The transport keys of a completed handshake; @hs is cleared, its indices too.
 * The state tells who initiated: NOISE_CONSUMED_RESPONSE does. */
void noise_derive_keys(struct noise_handshake *hs, struct noise_keys *keys);

/* TAI64N of @unix_ns, rounded down to 2^24 ns so that it is no clock for strangers; [W] 5.1. */
void noise_tai64n(uint8_t out[static WIRE_TIMESTAMP_LEN], uint64_t unix_ns);

#endif
