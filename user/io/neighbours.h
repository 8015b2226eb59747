/* SPDX-License-Identifier: MIT */
/*
 * neighbours.h - the kernel's neighbour entries that packets of users (peers, by slot) go through.
 *
 * Packets sent by AF_XDP do not refresh a neighbour entry, because the kernel does not see them.
 * The kernel is therefore asked to keep each entry fresh by itself (NTF_EXT_MANAGED), for as long
 * as it has a user:
 *
 *   first user ─▶ managed, unless somebody else manages it ─▶ ... ─▶ last user leaves ─▶ released
 *
 * Only what this module began is ended, and only if the entry is still as we left it: an entry that
 * an administrator made permanent, or that a routing daemon maintains (extern_learn), is never
 * touched. At most NEIGHBOURS_MAX entries are managed, so that peers which roam cannot fill the
 * kernel's table. Control thread.
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
	uint8_t *ours;		 /* by slot: its entry is managed by us */
	uint32_t ours_count;	 /* elements of it */
	unsigned managed;	 /* entries that are managed by us */
	/* Management of an entry began or ended; for the record of what to undo after a crash.
	 * May be NULL. */
	void (*changed)(void *ctx, const struct encap_next *next, bool managed);
	void *ctx;
};

void neighbours_init(struct neighbours *n, struct netlink *nl,
		     void (*changed)(void *ctx, const struct encap_next *next, bool managed),
		     void *ctx);
/* Releases everything; fine if all zero. */
void neighbours_done(struct neighbours *n);

/* Makes @user a user of @next in place of what it used. Fetches the entry's MAC if it is valid now.
 * Returns 0 with @mac, -EINPROGRESS (the kernel is resolving it; an event will follow), or -errno
 * (the MAC is unknown and cannot be asked for). */
int neighbours_use(struct neighbours *n, uint32_t user, const struct encap_next *next,
		   uint8_t mac[static 6]);
/* Ends @user's use of its neighbour, if it has one. */
void neighbours_drop(struct neighbours *n, uint32_t user);

/* Walks the users of @next; see slot_index.h. */
uint32_t neighbours_first(const struct neighbours *n, const struct encap_next *next);
uint32_t neighbours_next(const struct neighbours *n, uint32_t user);

#endif
