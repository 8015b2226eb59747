/* SPDX-License-Identifier: MIT */
#include "io/neighbours.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A next hop as a key of n->users. Unlike struct encap_next, the key has no padding and no unused
 * address bytes, so keys can be compared byte by byte. */
struct key {
	uint8_t bytes[4 + 1 + 16];
	size_t len;
};

static size_t address_len(uint8_t family)
{
	return family == AF_INET ? 4 : 16;
}

static struct key key_of(const struct encap_next *next)
{
	struct key key = { .len = 5 + address_len(next->family) };

	memcpy(key.bytes, &next->ifindex, 4);
	key.bytes[4] = next->family;
	memcpy(key.bytes + 5, next->addr, address_len(next->family));
	return key;
}

static struct encap_next next_of(const uint8_t *key, size_t len)
{
	struct encap_next next = { .family = key[4] };

	memcpy(&next.ifindex, key, 4);
	memcpy(next.addr, key + 5, len - 5);
	return next;
}

void neighbours_init(struct neighbours *n, struct netlink *nl,
		     void (*changed)(void *ctx, const struct encap_next *next, bool managed),
		     void *ctx)
{
	*n = (struct neighbours){ .nl = nl, .changed = changed, .ctx = ctx };
	slot_index_init(&n->users);
}

void neighbours_done(struct neighbours *n)
{
	for (uint32_t user = 0; user < n->users.entry_count; user++)
		neighbours_drop(n, user);
	slot_index_done(&n->users);
	free(n->ours);
	n->ours = NULL;
	n->ours_count = 0;
}

static bool is_ours(const struct neighbours *n, uint32_t user)
{
	return user < n->ours_count && n->ours[user];
}

static int set_ours(struct neighbours *n, uint32_t user, bool ours)
{
	uint32_t count = n->users.entry_count;
	uint8_t *list;

	if (user >= n->ours_count) {
		list = realloc(n->ours, count);
		if (!list)
			return -ENOMEM;
		memset(list + n->ours_count, 0, count - n->ours_count);
		n->ours = list;
		n->ours_count = count;
	}
	n->ours[user] = ours;
	return 0;
}

static void begin_managing(struct neighbours *n, const struct encap_next *next)
{
	n->managed++;
	if (n->changed)
		n->changed(n->ctx, next, true);
}

static void end_managing(struct neighbours *n, const struct encap_next *next)
{
	/* An error means that the entry or its interface is gone, so nothing is left to release. */
	(void)netlink_neighbour_release(n->nl, next->ifindex, next->family, next->addr);
	n->managed--;
	if (n->changed)
		n->changed(n->ctx, next, false);
}

void neighbours_drop(struct neighbours *n, uint32_t user)
{
	bool ours = is_ours(n, user);
	struct encap_next next;
	const void *key;
	uint32_t other;
	size_t len;

	key = slot_index_key(&n->users, user, &len);
	if (!key)
		return;
	next = next_of(key, len);
	slot_index_remove(&n->users, user);
	if (!ours)
		return;
	n->ours[user] = false;
	other = neighbours_first(n, &next);
	if (other == SLOT_INDEX_NONE || set_ours(n, other, true))
		end_managing(n, &next);
}

/* Returns true if the neighbour entry of @next has an owner. Exactly one user of each entry that we
 * manage is its owner. When the owner leaves, neighbours_drop() makes another user the owner. */
static bool has_owner(const struct neighbours *n, const struct encap_next *next)
{
	for (uint32_t u = neighbours_first(n, next); u != SLOT_INDEX_NONE;
	     u = neighbours_next(n, u))
		if (is_ours(n, u))
			return true;
	return false;
}

int neighbours_use(struct neighbours *n, uint32_t user, const struct encap_next *next,
		   uint8_t mac[static 6])
{
	struct key key = key_of(next);
	int managed = 0;

	if (!slot_index_has(&n->users, user, key.bytes, key.len)) {
		neighbours_drop(n, user);
		if (slot_index_put(&n->users, user, key.bytes, key.len))
			return -ENOMEM;
	}
	/* Make the entry managed before its MAC is read: a valid entry then stays valid, and the
	 * kernel begins to resolve an invalid one. */
	if (n->managed < NEIGHBOURS_MAX || is_ours(n, user))
		managed = netlink_neighbour_manage(n->nl, next->ifindex, next->family, next->addr);
	if (managed == 1 && !has_owner(n, next)) {
		if (set_ours(n, user, true))
			(void)netlink_neighbour_release(n->nl, next->ifindex, next->family,
							next->addr);
		else
			begin_managing(n, next);
	}
	if (!netlink_neighbour(n->nl, next->ifindex, next->family, next->addr, mac))
		return 0;
	return managed < 0 ? managed : -EINPROGRESS;
}

uint32_t neighbours_first(const struct neighbours *n, const struct encap_next *next)
{
	struct key key = key_of(next);

	return slot_index_first(&n->users, key.bytes, key.len);
}

uint32_t neighbours_next(const struct neighbours *n, uint32_t user)
{
	return slot_index_next(&n->users, user);
}
