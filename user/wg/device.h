/* SPDX-License-Identifier: MIT */
/*
 * device.h - a WireGuard device: identity, peers, tables, and the handshake engine that drives
 * them. Makes no system call: what it wants done it asks of struct device_ops.
 *
 *   message of types 1-3 ─▶ device_input ─▶ macs, cookies, limits ─▶ noise ─▶ sessions, indices
 *   notes of workers     ─▶ device_want_handshake, device_confirmed, device_roamed, device_check_timers
 *   clock                ─▶ device_tick ─▶ retries, keepalives, wiping
 *   configuration        ─▶ device_set_*, device_peer_*
 *
 * Control thread only, but for what peer.h, session.h, indextab.h and allowedips.h give workers.
 */
#ifndef WGXDP_DEVICE_H
#define WGXDP_DEVICE_H

#include "wg/heap.h"
#include "wg/peer.h"
#include "wg/ratelimit.h"
#include "wgxdp/reasons.h"

/* For debug messages, [contract] 5; never for decisions. */
enum device_event {
	DEVICE_HANDSHAKE_RETRY, /* "... did not complete after 5 seconds, retrying" */
	DEVICE_HANDSHAKE_GIVEN_UP,
	DEVICE_BAD_INITIATION, /* "Invalid handshake initiation" */
	DEVICE_BAD_MAC1,       /* "Invalid initiation MAC" */
	DEVICE_BAD_RESPONSE,   /* in mac1 or in what is sealed */
	DEVICE_SESSION_BEGUN,
	DEVICE_KEEPALIVE_SENT,
	DEVICE_KEYS_WIPED,
	DEVICE_COOKIE_SENT,
	DEVICE_EVENTS
};

struct device_ops {
	/* Fills @n bytes from a cryptographic source. */
	void (*random)(void *ctx, void *out, size_t n);
	/* CLOCK_REALTIME, ns. */
	uint64_t (*unix_ns)(void *ctx);
	/* Sends @len bytes to @to by the UDP socket. @peer is NULL for a cookie reply. Returns 0/-errno. */
	int (*send)(void *ctx, struct peer *peer, const struct endpoint *to, const void *msg,
		    size_t len);
	/* Can anybody be at @from, from where an authenticated message came? One of our own addresses
	 * and a broadcast are known only to the routes. NULL: yes. */
	bool (*answerable)(void *ctx, const struct endpoint *from);
	/* Endpoint, name or last handshake changed. */
	void (*peer_changed)(void *ctx, struct peer *peer, bool endpoint_changed);
	/* The peer is being removed; its memory is retired afterwards. NULL: nothing to do. */
	void (*peer_removed)(void *ctx, struct peer *peer);
	/* peer->current is new and there are staged packets: a worker should send them. */
	void (*flush)(void *ctx, struct peer *peer);
	/* See retire_fn. */
	retire_fn retire;
	/* Says what happened; @peer or @from may be NULL. A peer that is named has proven to be it. */
	void (*event)(void *ctx, enum device_event event, const struct peer *peer,
		      const struct endpoint *from);
};

/* Tables outside of the device that mirror its own: the BPF maps. A change has reached the mirror when
 * the function returns. A function that returns int may fail with -errno, because a map is full, and
 * has then changed nothing. */
struct device_mirror {
	/* A receiver index becomes valid or ends. begin is called before any message that carries the
	 * index leaves; a second begin turns a pending index into a data index. */
	int (*index_begin)(void *ctx, uint32_t index, const struct peer *peer, bool pending);
	void (*index_end)(void *ctx, uint32_t index);
	/* peer->slot begins or ends to stand for @peer. */
	int (*peer_begin)(void *ctx, const struct peer *peer);
	void (*peer_end)(void *ctx, const struct peer *peer);
	/* The private key was replaced or cleared: d->identity and d->checker are new. */
	void (*identity_changed)(void *ctx);
	/* The masked prefix begins to lead to @peer, whichever peer had it before; or it ends. */
	int (*allowed_begin)(void *ctx, const struct prefix *prefix, const struct peer *peer);
	void (*allowed_end)(void *ctx, const struct prefix *prefix);
};

struct device {
	const struct device_ops *ops;
	void *ctx; /* for ops */
	const struct device_mirror *mirror;
	void *mirror_ctx;
	struct noise_identity identity;
	struct cookie_checker checker;
	struct indextab *indices;
	struct allowedips *allowed;
	struct ratelimit *limiter;
	struct peer *first, *last; /* in the order in which they were added */
	uint32_t peer_count;
	bool up;		      /* nothing is sent while it is false */
	uint64_t last_serial;	      /* of the peer added last */
	uint64_t last_tai64n_unix_ns; /* of the newest initiation sent to any peer */
	struct peer **by_key;	      /* hash of public key, keyed with hash_secret */
	uint8_t hash_secret[16];
	uint32_t by_key_cap; /* a power of two, never less than peer_count */
	struct heap deadlines;
	uint32_t *free_slots, free_slot_count, next_slot; /* a stack; as large as deadlines */
	struct peer **by_slot; /* NULL: the slot is free; next_slot of them have been used */
	uint64_t counts[REASON_COUNT]; /* handshake messages and staged packets that died here */
};

/* Empty, down, no key. Returns 0 or -ENOMEM. All four pointers must outlive the device. */
int device_init(struct device *d, const struct device_ops *ops, void *ctx,
		const struct device_mirror *mirror, void *mirror_ctx);
/* Limits handshakes of proven sources while under load, from now on. 0 or -ENOMEM. */
int device_set_handshake_rate(struct device *d, uint32_t per_s);
/* Removes all peers and wipes. Objects given to retire are the caller's to flush. */
void device_done(struct device *d);

/* Configuration ------------------------------------------------------------------------------ */

/* Sets (or with zeros clears) the private key: sessions stop at once and are begun anew by the next
 * packet; a peer with the device's own new public key is removed. [contract] 1, 4.7 */
void device_set_private_key(struct device *d, const uint8_t key[static WIRE_KEY_LEN],
			    uint64_t now_ns);

/* Up: persistent keepalives begin. Down: sessions and handshakes are wiped. */
void device_set_up(struct device *d, bool up, uint64_t now_ns);

struct peer *device_find(const struct device *d, const uint8_t public[static WIRE_KEY_LEN]);
/* The peer in @slot if it is still the one with @serial, else NULL. */
struct peer *device_peer_at(const struct device *d, uint32_t slot, uint64_t serial);

/* A new peer at the end of the list. Returns 0 and *@peer; -EEXIST; -EADDRINUSE for our own key
 * (to be ignored by callers, [contract] 1); -ENOSPC; -ENOMEM, or what peer_begin said. */
int device_peer_add(struct device *d, const uint8_t public[static WIRE_KEY_LEN],
		    struct peer **peer);
void device_peer_remove(struct device *d, struct peer *p);
void device_peers_clear(struct device *d);

/* The running session goes on; the next handshake uses the new key. */
void device_peer_set_psk(struct device *d, struct peer *p, const uint8_t psk[static WIRE_KEY_LEN]);
void device_peer_set_endpoint(struct device *d, struct peer *p, const struct endpoint *e);
/* From off to on sends a keepalive at once when the device is up. */
void device_peer_set_keepalive(struct device *d, struct peer *p, uint16_t interval_s,
			       uint64_t now_ns);
void device_peer_set_name(struct device *d, struct peer *p, const char *name);
int device_peer_allow(struct device *d, struct peer *p, const struct prefix *prefix);
void device_peer_disallow(struct device *d, struct peer *p, const struct prefix *prefix);
/* From begin to end: all that the peer has is to be replaced. It stays in force meanwhile; what is given
 * to the peer again never ceases to be, so that a configuration that is repeated, as `wg syncconf` does,
 * disturbs no packet. A second begin before the end takes what was given since with it. */
void device_peer_replace_begin(struct peer *p);
void device_peer_replace_end(struct device *d, struct peer *p);

/* Messages and notes ------------------------------------------------------------------------- */

/* A message of types 1-3 from @from (with the local side filled in). @under_load as the caller
 * measures it. Returns REASON_none or why it went no further; counted in d->counts. */
enum reason device_input(struct device *d, const void *msg, size_t len, const struct endpoint *from,
			 bool under_load, uint64_t now_ns);

/* A packet waits, or a session is due for renewal: begin a handshake if none is under way and the
 * last initiation is long enough ago. Purges nothing. */
void device_want_handshake(struct device *d, struct peer *p, uint64_t now_ns);

/* An authenticated data message came under peer->next: it becomes current. @s may be stale. */
void device_confirmed(struct device *d, struct peer *p, const struct session *s, uint64_t now_ns);

/* An authenticated data message came from @from. */
void device_roamed(struct device *d, struct peer *p, const struct endpoint *from);

/* Looks at the peer's timers and schedules it anew (NOTE_WATCH). */
void device_check_timers(struct device *d, struct peer *p, uint64_t now_ns);

/* Notes of workers were lost, perhaps about @p: does what they may have asked for. */
void device_catch_up(struct device *d, struct peer *p, uint64_t now_ns);

/* Does all that is due. */
void device_tick(struct device *d, uint64_t now_ns);

/* When device_tick() wants to be called, or TIMERS_NEVER. */
uint64_t device_next(const struct device *d);

/* Suspend, snapshot, clone: every session and handshake is wiped. */
void device_zero_all(struct device *d, uint64_t now_ns);

#endif
