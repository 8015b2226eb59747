/* SPDX-License-Identifier: MIT */
/*
 * neighbours.h - the kernel's neighbour entries of the next hops to peers. The users of an entry
 * are the peers that are reached through this neighbour. The number of a user is the peer's slot
 * (index) in the table of peers.
 *
 * Packets sent by AF_XDP do not refresh a neighbour entry, because the kernel does not see them. We
 * therefore ask the kernel to keep an entry fresh (NTF_EXT_MANAGED) as long as it has users:
 *
 *   first user ─▶ managed, unless another program manages it ─▶ ... ─▶ last user leaves ─▶ released
 *
 * This module releases only entries that it made managed. It leaves alone an entry that an
 * administrator has made permanent or that a routing daemon maintains (extern_learn). At most
 * NEIGHBOURS_MAX entries are managed, so that roaming peers cannot fill the kernel's table. The
 * control thread calls these functions.
 */
#ifndef WGXDP_NEIGHBOURS_H
#define WGXDP_NEIGHBOURS_H

#include "io/encap.h"
#include "io/netlink.h"
#include "util/slot_index.h"

#define NEIGHBOURS_MAX 4096

struct neighbours {
	struct netlink *nl;
	struct slot_index users; /* keyed by struct encap_next without padding */
	uint8_t *ours;		 /* ours[user] is 1 for exactly one user of each managed entry */
	uint32_t ours_count;	 /* allocated elements of ours[] */
	unsigned managed;	 /* number of entries that we manage */
	/* Called when an entry becomes managed or is released, so that the caller can keep a record
	 * for the cleanup after a crash. May be NULL. */
	void (*changed)(void *ctx, const struct encap_next *next, bool managed);
	void *ctx;
};

void neighbours_init(struct neighbours *n, struct netlink *nl,
		     void (*changed)(void *ctx, const struct encap_next *next, bool managed),
		     void *ctx);
/* Releases all entries and the memory. Does nothing if @n is all zero. */
void neighbours_done(struct neighbours *n);

/* Makes @next the neighbour that @user uses, in place of any earlier one. Returns 0 and fills in
 * @mac if the kernel has a valid entry now. Returns -EINPROGRESS if the entry is not valid yet (the
 * kernel reports when it becomes valid), or another -errno if the MAC cannot be resolved. */
int neighbours_use(struct neighbours *n, uint32_t user, const struct encap_next *next,
		   uint8_t mac[static 6]);
/* Ends the use of a neighbour by @user. Does nothing if @user uses none. */
void neighbours_drop(struct neighbours *n, uint32_t user);

/* Walk the users of @next; see slot_index.h. */
uint32_t neighbours_first(const struct neighbours *n, const struct encap_next *next);
uint32_t neighbours_next(const struct neighbours *n, uint32_t user);

#endif
