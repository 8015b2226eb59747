/* SPDX-License-Identifier: MIT */
/*
 * conf_diff.h - finds the differences between the config file that was applied last and a new one,
 * as a list of changes that the device can make one by one.
 *
 *   1. new peers are added and existing peers are changed, in the order of the new file
 *   2. prefixes are removed from peers
 *   3. peers are removed
 *
 * If a prefix moves to another peer, step 1 gives it to the new peer, and the device takes it from
 * the old peer at once, so the prefix is never absent. The removal in step 2 then has no effect.
 * Values that are the same in both files cause no change.
 *
 * The last applied file is kept without its secrets: conf_forget_secrets() replaces each secret by
 * a keyed digest. The functions make no system call and may be called by any thread.
 */
#ifndef WGXDP_CONF_DIFF_H
#define WGXDP_CONF_DIFF_H

#include "conf/conf.h"

#define CONF_DIGEST_KEY_LEN 32

enum conf_change_kind {
	CONF_CHANGE_ADD, /* adds the peer if it does not exist yet */
	CONF_CHANGE_PSK,
	CONF_CHANGE_ENDPOINT, /* if the new config has none: ends lookups, keeps the address */
	CONF_CHANGE_NAME,
	CONF_CHANGE_KEEPALIVE,
	CONF_CHANGE_ALLOW,
	CONF_CHANGE_REPLACE_BEGIN, /* the ALLOW changes up to END list all prefixes of the peer */
	CONF_CHANGE_REPLACE_END,   /* removes the prefixes that were not listed */
	CONF_CHANGE_DISALLOW,	   /* @peer and @prefix are indices in the old config */
	CONF_CHANGE_REMOVE,	   /* @peer is an index in the old config */
};

struct conf_change {
	enum conf_change_kind kind;
	uint32_t peer;	 /* index in new->peers, or in old->peers for DISALLOW and REMOVE */
	uint32_t prefix; /* index in the allowed array of this peer; ALLOW and DISALLOW only */
};

struct conf_diff {
	bool private_key, listen_port, fwmark; /* true = apply this value of the new config */
	bool host;			       /* addresses, routes, MTU, DNS or hooks may differ */
	bool exact;	  /* remove the peers that the new config does not have */
	bool removes_all; /* the old config has peers, and the new one has none of them */
	struct conf_change *changes;
	size_t count, size;
	uint32_t *by_key; /* the indices of new->peers, sorted by key */
};

/* Replaces the private key and the preshared keys of @c with keyed digests. A key that is not set
 * stays all zero. */
void conf_forget_secrets(struct conf *c, const uint8_t key[static CONF_DIGEST_KEY_LEN]);

/* Finds the changes from @old, whose secrets are digests, to @new, whose secrets are plain. A
 * PrivateKey that is missing in @new causes no change. A peer that is marked incomplete in @old
 * gets all its settings again, because what the device has is unknown. Returns 0 with *@d filled
 * in; the caller releases it with conf_diff_done(). Or returns -ENOMEM. */
int conf_diff(struct conf_diff *d, const struct conf *old, const struct conf *new,
	      const uint8_t key[static CONF_DIGEST_KEY_LEN]);

/* Makes the list of changes that turn any configuration of the device into @new, like `wg
 * syncconf`. @old determines only removes_all. Returns like conf_diff(). */
int conf_diff_exact(struct conf_diff *d, const struct conf *old, const struct conf *new);

void conf_diff_done(struct conf_diff *d); /* does nothing if *d is all zero */

/* Returns true if the config @new, which was given to the function that filled in @d, has a peer
 * with this key. */
bool conf_diff_has(const struct conf_diff *d, const struct conf *new,
		   const uint8_t public[static WIRE_KEY_LEN]);

#endif
