/* SPDX-License-Identifier: MIT */
/*
 * conf_diff.h - what has changed between the config file that was applied last and a new one, as a
 * list of changes that the device can make one by one.
 *
 *   first the peers are added and their settings changed, in the order of the new file;
 *   then prefixes are taken from peers; then peers are removed
 *
 * A prefix that moves from one peer to another is only given to the new one, which takes it from
 * the old one, so that it is never absent. Nothing that the new file leaves as it was is mentioned.
 *
 * The last applied file is kept without its secrets: conf_forget_secrets() puts a keyed digest in
 * the place of each. Any thread; no system call.
 */
#ifndef WGXDP_CONF_DIFF_H
#define WGXDP_CONF_DIFF_H

#include "conf/conf.h"

#define CONF_DIGEST_KEY_LEN 32

enum conf_change_kind {
	CONF_CHANGE_ADD, /* the peer need not exist yet */
	CONF_CHANGE_PSK,
	CONF_CHANGE_ENDPOINT, /* host = NULL: the endpoint stays, but no longer follows a name */
	CONF_CHANGE_NAME,
	CONF_CHANGE_KEEPALIVE,
	CONF_CHANGE_ALLOW,
	CONF_CHANGE_REPLACE_BEGIN, /* the prefixes of the peer that CONF_CHANGE_ALLOW does not */
	CONF_CHANGE_REPLACE_END,   /* name until the end are taken from it */
	CONF_CHANGE_DISALLOW,	   /* @peer and @prefix are indices in the old config */
	CONF_CHANGE_REMOVE,	   /* @peer is an index in the old config */
};

struct conf_change {
	enum conf_change_kind kind;
	uint32_t peer;	 /* index in new->peers */
	uint32_t prefix; /* index in peers[peer].allowed */
};

struct conf_diff {
	bool private_key, listen_port, fwmark; /* set these of the new config */
	bool host;			       /* addresses, routes, MTU, DNS or hooks may differ */
	bool exact;	  /* remove the peers that the new config does not have */
	bool removes_all; /* the old config has peers, and the new one has none of them */
	struct conf_change *changes;
	size_t count, size;
	uint32_t *by_key; /* the indices of new->peers, sorted by key */
};

/* Puts keyed digests in the place of the private key and the preshared keys of @c. An absent key
 * stays all zero. */
void conf_forget_secrets(struct conf *c, const uint8_t key[static CONF_DIGEST_KEY_LEN]);

/* The changes from @old, whose secrets are digests, to @new, whose secrets are plain. What @new
 * does not give stays as it is: an absent PrivateKey is no change. Returns 0 with *@d, for
 * conf_diff_done(), or -ENOMEM. */
int conf_diff(struct conf_diff *d, const struct conf *old, const struct conf *new,
	      const uint8_t key[static CONF_DIGEST_KEY_LEN]);

/* The changes to @new from whatever the device has, as `wg syncconf` makes them. @old is for
 * removes_all. */
int conf_diff_exact(struct conf_diff *d, const struct conf *old, const struct conf *new);

void conf_diff_done(struct conf_diff *d); /* fine if all zero */

/* Does @new, from which @d was made, have the peer? */
bool conf_diff_has(const struct conf_diff *d, const struct conf *new,
		   const uint8_t public[static WIRE_KEY_LEN]);

#endif
