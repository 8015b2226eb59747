/* SPDX-License-Identifier: MIT */
/*
 * witness.h - what a world has seen, whatever its devices believe. It holds every session by the keys
 * that were derived for it, and every counter used or accepted under them:
 *
 *   session begun ─▶ witness_derived        sealed ─▶ witness_sealed   never twice under one key, never
 *   current       ─▶ witness_matched        opened ─▶ witness_opened   past 180 s, and only under a
 *                                                                      matched pair
 *
 * Matched: the node whose key the peer has derived the same two keys for the same two indices.
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

/* Of two numbers: a key or what else it is about, and a counter. */
struct seen {
	uint64_t what, number;
};

struct witness {
	struct derived *derived; /* open addressing by send_key; a slot without keys is free */
	unsigned derived_cap, derived_count;
	struct seen *seen; /* open addressing */
	unsigned seen_cap, seen_count;
};

/* What was derived with @key to send under, or NULL. */
struct derived *witness_find(const struct witness *t, const uint8_t key[static AEAD_KEY_LEN]);

/* The session @s begins on @node, whose public key is @own. Keys are never derived twice. */
void witness_derived(struct witness *t, unsigned node, const struct session *s,
		     const uint8_t own[static WIRE_KEY_LEN], uint64_t now_ns);

/* Has the other side derived the same keys for this pair of indices, and for us? */
bool witness_matched(const struct witness *t, const struct session *s);

/* A message was sealed, or opened, under @s. */
void witness_sealed(struct witness *t, const struct session *s, uint64_t counter, uint64_t now_ns);

void witness_opened(struct witness *t, const struct session *s, uint64_t counter, uint64_t now_ns);

void witness_init(struct witness *t);

void witness_done(struct witness *t);

#endif
