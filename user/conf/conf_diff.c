/* SPDX-License-Identifier: MIT */
#include "conf/conf_diff.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/wipe.h"

#define NONE UINT32_MAX

_Static_assert(sizeof(struct prefix) == 18, "prefixes are compared as bytes");

/* Secrets ------------------------------------------------------------------------------------ */

static void digest(uint8_t out[static WIRE_KEY_LEN], const uint8_t secret[static WIRE_KEY_LEN],
		   const uint8_t key[static CONF_DIGEST_KEY_LEN])
{
	if (is_zero_ct(secret, WIRE_KEY_LEN))
		memset(out, 0, WIRE_KEY_LEN);
	else
		crypto_generichash(out, WIRE_KEY_LEN, secret, WIRE_KEY_LEN, key,
				   CONF_DIGEST_KEY_LEN);
}

static void replace(uint8_t secret[static WIRE_KEY_LEN],
		    const uint8_t key[static CONF_DIGEST_KEY_LEN])
{
	uint8_t out[WIRE_KEY_LEN];

	digest(out, secret, key);
	memcpy(secret, out, sizeof(out));
	wipe(out, sizeof(out));
}

void conf_forget_secrets(struct conf *c, const uint8_t key[static CONF_DIGEST_KEY_LEN])
{
	replace(c->private_key, key);
	for (uint32_t i = 0; i < c->peer_count; i++)
		replace(c->peers[i].preshared_key, key);
}

/* Returns true if @secret differs from the secret whose digest is @old. */
static bool secret_differs(const uint8_t old[static WIRE_KEY_LEN],
			   const uint8_t secret[static WIRE_KEY_LEN],
			   const uint8_t key[static CONF_DIGEST_KEY_LEN])
{
	uint8_t now[WIRE_KEY_LEN];
	bool differs;

	digest(now, secret, key);
	differs = !equal_ct(now, old, sizeof(now));
	wipe(now, sizeof(now));
	return differs;
}

/* Peers by key ------------------------------------------------------------------------------- */

static int compare_peers(const void *a, const void *b, void *ctx)
{
	const struct conf *c = ctx;

	return memcmp(c->peers[*(const uint32_t *)a].public_key,
		      c->peers[*(const uint32_t *)b].public_key, WIRE_KEY_LEN);
}

/* Returns the indices of the peers, sorted by key; NULL when out of memory. */
static uint32_t *sort_peers(const struct conf *c)
{
	uint32_t *order = malloc((c->peer_count + 1) * sizeof(*order));

	for (uint32_t i = 0; order && i < c->peer_count; i++)
		order[i] = i;
	if (order)
		qsort_r(order, c->peer_count, sizeof(*order), compare_peers, (void *)c);
	return order;
}

/* Returns the index of the peer with the public key, or NONE. */
static uint32_t find_peer(const struct conf *c, const uint32_t *order, const uint8_t *public)
{
	uint32_t low = 0, high = c->peer_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int side = memcmp(c->peers[order[middle]].public_key, public, WIRE_KEY_LEN);

		if (!side)
			return order[middle];
		if (side < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NONE;
}

bool conf_diff_has(const struct conf_diff *d, const struct conf *new,
		   const uint8_t public[static WIRE_KEY_LEN])
{
	return find_peer(new, d->by_key, public) != NONE;
}

/* Changes ------------------------------------------------------------------------------------ */

static int add(struct conf_diff *d, enum conf_change_kind kind, uint32_t peer, uint32_t prefix)
{
	if (d->count == d->size) {
		size_t size = d->size ? d->size * 2 : 64;
		struct conf_change *grown = reallocarray(d->changes, size, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		d->changes = grown;
		d->size = size;
	}
	d->changes[d->count++] = (struct conf_change){ kind, peer, prefix };
	return 0;
}

static int compare_prefixes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct prefix));
}

/* Adds a change for each prefix that is in @has but not in @lacks. */
static int add_missing(struct conf_diff *d, enum conf_change_kind kind, uint32_t peer,
		       const struct conf_peer *has, const struct conf_peer *lacks)
{
	size_t size = lacks->allowed_count * sizeof(struct prefix);
	struct prefix *sorted;
	int err = 0;

	if (has->allowed_count == lacks->allowed_count &&
	    !memcmp(has->allowed, lacks->allowed, size))
		return 0;
	sorted = malloc(size + 1);
	if (!sorted)
		return -ENOMEM;
	memcpy(sorted, lacks->allowed, size);
	qsort(sorted, lacks->allowed_count, sizeof(*sorted), compare_prefixes);
	for (uint32_t i = 0; i < has->allowed_count && !err; i++)
		if (!bsearch(&has->allowed[i], sorted, lacks->allowed_count, sizeof(*sorted),
			     compare_prefixes))
			err = add(d, kind, peer, i);
	free(sorted);
	return err;
}

static int add_all(struct conf_diff *d, uint32_t peer, const struct conf_peer *p)
{
	int err = 0;

	for (uint32_t i = 0; i < p->allowed_count && !err; i++)
		err = add(d, CONF_CHANGE_ALLOW, peer, i);
	return err;
}

/* Adds all changes for a new peer. */
static int add_peer(struct conf_diff *d, uint32_t peer, const struct conf_peer *p)
{
	int err = add(d, CONF_CHANGE_ADD, peer, 0);

	if (!err && !is_zero_ct(p->preshared_key, WIRE_KEY_LEN))
		err = add(d, CONF_CHANGE_PSK, peer, 0);
	if (!err && *p->name)
		err = add(d, CONF_CHANGE_NAME, peer, 0);
	if (!err && p->host)
		err = add(d, CONF_CHANGE_ENDPOINT, peer, 0);
	if (!err)
		err = add_all(d, peer, p);
	if (!err && p->keepalive_s)
		err = add(d, CONF_CHANGE_KEEPALIVE, peer, 0);
	return err;
}

/* Adds changes that give the peer exactly the settings of the new file, whatever the device has. */
static int set_exactly(struct conf_diff *d, uint32_t peer, const struct conf_peer *p)
{
	int err = add(d, CONF_CHANGE_ADD, peer, 0);

	if (!err)
		err = add(d, CONF_CHANGE_PSK, peer, 0);
	if (!err)
		err = add(d, CONF_CHANGE_NAME, peer, 0);
	if (!err)
		err = add(d, CONF_CHANGE_ENDPOINT, peer, 0);
	if (!err)
		err = add(d, CONF_CHANGE_REPLACE_BEGIN, peer, 0);
	if (!err)
		err = add_all(d, peer, p);
	if (!err)
		err = add(d, CONF_CHANGE_REPLACE_END, peer, 0);
	return err ? err : add(d, CONF_CHANGE_KEEPALIVE, peer, 0);
}

static bool text_differs(const char *a, const char *b)
{
	return !a || !b ? a != b : strcmp(a, b) != 0;
}

/* Adds the changes for a peer that is in both files. The device ignores these changes if another
 * program has removed the peer. */
static int change_peer(struct conf_diff *d, uint32_t peer, const struct conf_peer *old,
		       const struct conf_peer *new, const uint8_t *key)
{
	int err = 0;

	if (secret_differs(old->preshared_key, new->preshared_key, key))
		err = add(d, CONF_CHANGE_PSK, peer, 0);
	if (!err && strcmp(old->name, new->name) != 0)
		err = add(d, CONF_CHANGE_NAME, peer, 0);
	if (!err && (text_differs(old->host, new->host) || text_differs(old->port, new->port)))
		err = add(d, CONF_CHANGE_ENDPOINT, peer, 0);
	if (!err)
		err = add_missing(d, CONF_CHANGE_ALLOW, peer, new, old);
	if (!err && old->keepalive_s != new->keepalive_s)
		err = add(d, CONF_CHANGE_KEEPALIVE, peer, 0);
	return err;
}

/* Adds the removals of prefixes that a peer has lost, and of peers that @new does not have.
 * @now[i] is the index in @new of the i-th old peer, or NONE. */
static int add_removals(struct conf_diff *d, const struct conf *old, const struct conf *new,
			const uint32_t *now)
{
	int err = 0;

	for (uint32_t i = 0; i < old->peer_count && !err; i++)
		if (now[i] != NONE && !old->peers[i].own && !new->peers[now[i]].own)
			err = add_missing(d, CONF_CHANGE_DISALLOW, i, &old->peers[i],
					  &new->peers[now[i]]);
	for (uint32_t i = 0; i < old->peer_count && !err; i++)
		if (now[i] == NONE && !old->peers[i].own)
			err = add(d, CONF_CHANGE_REMOVE, i, 0);
	return err;
}

static int compare_all(struct conf_diff *d, const struct conf *old, const struct conf *new,
		       const uint32_t *old_order, uint32_t *now, const uint8_t *key)
{
	int err = 0;

	for (uint32_t i = 0; i < old->peer_count; i++)
		now[i] = NONE;
	for (uint32_t i = 0; i < new->peer_count && !err; i++) {
		const struct conf_peer *peer = &new->peers[i];
		uint32_t was = find_peer(old, old_order, peer->public_key);

		if (was != NONE)
			now[was] = i;
		if (peer->own)
			continue;
		if (was == NONE || old->peers[was].own)
			err = add_peer(d, i, peer);
		else if (old->peers[was].incomplete)
			err = set_exactly(d, i, peer);
		else
			err = change_peer(d, i, &old->peers[was], peer, key);
	}
	return err ? err : add_removals(d, old, new, now);
}

static bool removes_all(const struct conf_diff *d, const struct conf *old, const struct conf *new)
{
	bool had = false;

	for (uint32_t i = 0; i < old->peer_count; i++) {
		if (old->peers[i].own)
			continue;
		if (conf_diff_has(d, new, old->peers[i].public_key))
			return false;
		had = true;
	}
	return had;
}

/* The host --------------------------------------------------------------------------------- */

static bool lists_differ(const struct conf_list *a, const struct conf_list *b)
{
	if (a->count != b->count)
		return true;
	for (uint32_t i = 0; i < a->count; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return true;
	return false;
}

/* Returns true if an [Interface] setting of wg-quick(8) other than SaveConfig differs, or if the
 * mark differs, because wg-quick(8) uses the mark as the number of a routing table. */
static bool quick_differs(const struct conf *a, const struct conf *b)
{
	for (unsigned i = 0; i < CONF_HOOK_COUNT; i++)
		if (lists_differ(&a->hooks[i], &b->hooks[i]))
			return true;
	return a->fwmark != b->fwmark || a->mtu != b->mtu || a->table != b->table ||
	       a->table_id != b->table_id || a->address_count != b->address_count ||
	       (a->address_count && memcmp(a->addresses, b->addresses,
					   a->address_count * sizeof(*a->addresses)) != 0) ||
	       lists_differ(&a->dns_servers, &b->dns_servers) ||
	       lists_differ(&a->dns_search, &b->dns_search);
}

/* Returns true if settings of the host may differ. The routes depend on the allowed IPs, and the
 * MTU may depend on the endpoints. */
static bool host_differs(const struct conf_diff *d, const struct conf *old, const struct conf *new)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->changes[i].kind != CONF_CHANGE_PSK &&
		    d->changes[i].kind != CONF_CHANGE_NAME &&
		    d->changes[i].kind != CONF_CHANGE_KEEPALIVE)
			return true;
	return quick_differs(old, new);
}

int conf_diff(struct conf_diff *d, const struct conf *old, const struct conf *new,
	      const uint8_t key[static CONF_DIGEST_KEY_LEN])
{
	struct conf_diff out = {
		.private_key = new->has_private_key &&
			       (!old->has_private_key ||
				secret_differs(old->private_key, new->private_key, key)),
		.listen_port = old->listen_port != new->listen_port,
		.fwmark = old->fwmark != new->fwmark,
		.by_key = sort_peers(new),
	};
	uint32_t *order = sort_peers(old), *now = malloc((old->peer_count + 1) * sizeof(*now));
	int err = out.by_key && order && now ? 0 : -ENOMEM;

	if (!err)
		err = compare_all(&out, old, new, order, now, key);
	free(now);
	free(order);
	if (err) {
		conf_diff_done(&out);
		return err;
	}
	out.removes_all = removes_all(&out, old, new);
	out.host = host_differs(&out, old, new);
	*d = out;
	return 0;
}

int conf_diff_exact(struct conf_diff *d, const struct conf *old, const struct conf *new)
{
	struct conf_diff out = {
		.private_key = true,
		.listen_port = true,
		.fwmark = true,
		.host = true,
		.exact = true,
		.by_key = sort_peers(new),
	};
	int err = out.by_key ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < new->peer_count && !err; i++)
		if (!new->peers[i].own)
			err = set_exactly(&out, i, &new->peers[i]);
	if (err) {
		conf_diff_done(&out);
		return err;
	}
	out.removes_all = removes_all(&out, old, new);
	*d = out;
	return 0;
}

void conf_diff_done(struct conf_diff *d)
{
	free(d->changes);
	free(d->by_key);
	*d = (struct conf_diff){ 0 };
}
