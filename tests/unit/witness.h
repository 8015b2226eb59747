/* SPDX-License-Identifier: MIT */
/*
 * witness.h - a record of what has happened in a simulation (world.h), kept independently of the
 * devices: the keys of every session, and every counter that was used or accepted under these keys.
 *
 *   session begun ─▶ witness_derived     sealed ─▶ witness_sealed   never twice under one key,
 *   current       ─▶ witness_matched     opened ─▶ witness_opened   never past 180 s, and only
 *                                                                   under a matched session
 *
 * A session is matched if its other end, the node with the peer's public key, has derived the same
 * two keys for the same two indices.
 */
#ifndef WGXDP_TEST_WITNESS_H
#define WGXDP_TEST_WITNESS_H

#include "wg/peer.h"
#include "wg/session.h"

struct derived {
	uint8_t send_key[AEAD_KEY_LEN], recv_key[AEAD_KEY_LEN];
	uint8_t own[WIRE_KEY_LEN], remote[WIRE_KEY_LEN]; /* public keys */
	uint32_t local_index, remote_index;
	uint64_t born_ns;
	unsigned node;
};

/* A counter that was sent or received. Under one key, each counter may be sent only once and
 * received only once. */
struct seen {
	uint64_t what; /* witness_id() of the key; inverted if the counter was received */
	uint64_t number;
};

struct witness {
	struct derived *derived; /* hash table with the key send_key; born_ns 0 = free slot */
	unsigned derived_cap, derived_count;
	struct seen *seen; /* hash table; a slot is free if its `what` is 0 */
	unsigned seen_cap, seen_count;
};

/* Returns the session whose sending key is @key, or NULL. */
struct derived *witness_find(const struct witness *t, const uint8_t key[static AEAD_KEY_LEN]);

/* Records that session @s begins on @node, whose public key is @own. No keys may be
 * derived twice. */
void witness_derived(struct witness *t, unsigned node, const struct session *s,
		     const uint8_t own[static WIRE_KEY_LEN], uint64_t now_ns);

/* Returns true if a session of the other node is the counterpart of @s: its keys, indices and
 * public keys are those of @s, with the roles exchanged. */
bool witness_matched(const struct witness *t, const struct session *s);

/* Record that a message was sealed or opened under @s, and check that this was valid. */
void witness_sealed(struct witness *t, const struct session *s, uint64_t counter, uint64_t now_ns);

void witness_opened(struct witness *t, const struct session *s, uint64_t counter, uint64_t now_ns);

void witness_init(struct witness *t);

void witness_done(struct witness *t);

#endif
