/* SPDX-License-Identifier: MIT */
/*
 * device.h - a WireGuard device: identity, peers, tables, and the handshake engine that drives
 * them. The device makes no system call. It calls struct device_ops for everything outside of it.
 *
 *   message of types 1-3 ─▶ device_input ─▶ macs, cookies, limits ─▶ noise ─▶ sessions, indices
 *   notes of workers     ─▶ device_want_handshake, device_confirmed, device_roamed,
 *                           device_check_timers, device_catch_up
 *   clock                ─▶ device_tick ─▶ retries, keepalives, wiping
 *   configuration        ─▶ device_set_*, device_peer_*
 *
 * Control thread only. Workers call only what peer.h, session.h, indextab.h and allowedips.h mark
 * as "any thread". All times named now_ns are CLOCK_BOOTTIME in ns.
 */
#ifndef WGXDP_DEVICE_H
#define WGXDP_DEVICE_H

#include "wg/heap.h"
#include "wg/peer.h"
#include "wg/ratelimit.h"
#include "wgxdp/reasons.h"

/* What is reported for debug messages. No decision depends on an event. */
enum device_event {
	DEVICE_HANDSHAKE_RETRY, /* no response within REKEY_TIMEOUT_S; another initiation is sent */
	DEVICE_HANDSHAKE_GIVEN_UP, /* no response within REKEY_ATTEMPT_TIME_S */
	DEVICE_BAD_INITIATION,	   /* an initiation did not authenticate or was replayed */
	DEVICE_BAD_MAC1,	   /* the mac1 of an initiation is wrong */
	DEVICE_BAD_RESPONSE,	   /* a response has a wrong mac1 or did not authenticate */
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
	/* CLOCK_BOOTTIME, ns; only to end device_tick() after PASS_TURN_NS. */
	uint64_t (*boot_ns)(void *ctx);
	/* Sends @len bytes to @to by the UDP socket. @peer is NULL for a cookie reply. Returns 0 or
	 * -errno. */
	int (*send)(void *ctx, struct peer *peer, const struct endpoint *to, const void *msg,
		    size_t len);
	/* Returns true if a peer can be at @from, the source of an authenticated message. Only the
	 * routing table knows our own addresses and broadcast addresses. NULL: every source is
	 * valid. */
	bool (*answerable)(void *ctx, const struct endpoint *from);
	/* The peer's endpoint, name or time of last handshake changed. */
	void (*peer_changed)(void *ctx, struct peer *peer, bool endpoint_changed);
	/* Initiations have had no answer for at least 2 * REKEY_TIMEOUT_S, and the next one is
	 * about to be sent: the peer may be at another address. NULL: nothing to do. */
	void (*unanswered)(void *ctx, struct peer *peer);
	/* The peer is being removed; its memory is retired afterwards. NULL: nothing to do. */
	void (*peer_removed)(void *ctx, struct peer *peer);
	/* Staged packets can be sent now, because the peer has a session: tells a worker to
	 * do so. */
	void (*flush)(void *ctx, struct peer *peer);
	/* Frees an object when no worker can hold it any more, see retire_fn in indextab.h. The
	 * device always unpublishes an object before it retires it. */
	retire_fn retire;
	/* Reports an event. @peer or @from may be NULL. @peer is given only if the message that
	 * caused the event was authentic. */
	void (*event)(void *ctx, enum device_event event, const struct peer *peer,
		      const struct endpoint *from);
};

/* Tables outside of the device that mirror its own: the BPF maps. A change has reached the mirror
 * when the function returns. A function that returns int may fail with -errno, because a map is
 * full, and has then changed nothing. */
struct device_mirror {
	/* A receiver index becomes valid or ends. begin is called before any message that carries
	 * the index leaves; a second begin turns a pending index into a data index. */
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
	struct peer *first, *last; /* the peers, in the order in which they were added */
	uint32_t peer_count;
	bool up;		      /* nothing is sent while it is false */
	uint64_t last_serial;	      /* serial of the peer added last */
	uint64_t last_tai64n_unix_ns; /* time in the newest initiation sent to any peer */
	struct peer **by_key;	      /* hash table of public keys, keyed with hash_secret */
	uint8_t hash_secret[16];
	uint32_t by_key_cap; /* a power of two, never less than peer_count */
	struct heap deadlines;
	/* Both slot arrays have room for by_key_cap slots. Slots from next_slot on were
	 * never used. */
	uint32_t *free_slots, free_slot_count, next_slot; /* free_slots is a stack */
	struct peer **by_slot;				  /* NULL: the slot is free */
	uint64_t counts[REASON_COUNT]; /* handshake messages and staged packets dropped by reason */
};

/* Makes a device that is down and has no key and no peers. All four pointers must outlive the
 * device. Returns 0 or -ENOMEM; after an error the device needs no device_done(). */
int device_init(struct device *d, const struct device_ops *ops, void *ctx,
		const struct device_mirror *mirror, void *mirror_ctx);
/* Allows each source whose address is proven @per_s handshakes a second while the device is under
 * load. Returns 0 or -ENOMEM; the old limit then stays. */
int device_set_handshake_rate(struct device *d, uint32_t per_s);
/* Removes all peers, frees the tables and wipes the device. No worker may run any more. The caller
 * frees the objects that were given to retire. */
void device_done(struct device *d);

/* Configuration ------------------------------------------------------------------------------ */

/* Passes over all peers. These functions change every peer before they return, because a state in
 * between would be wrong. They do only what is cheap (about 1 us per peer, and 1 us per session or
 * map entry that ends). New handshakes and X25519 are left to device_tick(), which is bounded.
 *
 *   device_set_private_key  no message may be sent or accepted under the old key
 *   device_set_up           after "down" no key may be left in memory
 *   device_zero_all         no key may be used again; the workers wait for the end
 *   device_peers_clear      the caller reports success only when no removed peer is reachable
 */

/* Sets the private key; 32 zeros clear it. All sessions end at once, because they belong to the old
 * key; the next packet begins a new handshake. A peer that has the new public key itself is
 * removed. Setting the key that is set already changes nothing. */
void device_set_private_key(struct device *d, const uint8_t key[static WIRE_KEY_LEN],
			    uint64_t now_ns);

/* Sets the device up or down. Persistent keepalives and handshakes for staged packets begin when it
 * comes up. When it goes down, sessions, handshakes and staged packets are wiped. */
void device_set_up(struct device *d, bool up, uint64_t now_ns);

/* Returns the peer with the public key, or NULL. */
struct peer *device_find(const struct device *d, const uint8_t public[static WIRE_KEY_LEN]);
/* Returns the peer in @slot if its serial is @serial, else NULL: the peer was removed. */
struct peer *device_peer_at(const struct device *d, uint32_t slot, uint64_t serial);

/* A place in the list of peers. It stays valid when any peer is removed. All zero: before the
 * first. */
struct device_place {
	uint64_t serial;
	uint32_t slot;
};

/* Moves @at to the next peer in the order of addition, and returns it; NULL after the last.
 * Peers may come and go between two calls. If the peer at @at itself was removed, the call walks
 * the list. */
struct peer *device_peer_next(const struct device *d, struct device_place *at);

/* Adds a peer at the end of the list. The device owns the peer. Returns 0 and sets *@peer, or
 * returns -EEXIST, -EADDRINUSE if @public is our own key (wg(8) ignores such a peer, so callers
 * must, too), -ENOSPC at PEERS_MAX, -ENOMEM, or the error of mirror->peer_begin. */
int device_peer_add(struct device *d, const uint8_t public[static WIRE_KEY_LEN],
		    struct peer **peer);
/* Removes a peer with everything that it has. @p is retired: callers must not use it afterwards. */
void device_peer_remove(struct device *d, struct peer *p);
void device_peers_clear(struct device *d);

/* Sets the preshared key; 32 zeros clear it. The current session goes on; the next handshake uses
 * the new key. */
void device_peer_set_psk(struct device *d, struct peer *p, const uint8_t psk[static WIRE_KEY_LEN]);
void device_peer_set_endpoint(struct device *d, struct peer *p, const struct endpoint *e);
/* The same because the peer is found at another address now, where it may have no session of ours:
 * sends an initiation at once if anything waits to be sent to the peer or has not been answered, or
 * if the peer has a persistent keepalive. That initiation does not keep the distance of
 * REKEY_TIMEOUT_S from the last one, which went to another address; the caller limits the rate. */
void device_peer_redirect(struct device *d, struct peer *p, const struct endpoint *e,
			  uint64_t now_ns);
/* Sets the persistent keepalive interval; 0 switches it off. Switching it on sends a keepalive at
 * once if the device is up. */
void device_peer_set_keepalive(struct device *d, struct peer *p, uint16_t interval_s,
			       uint64_t now_ns);
void device_peer_set_name(struct device *d, struct peer *p, const char *name);
/* Gives @prefix to @p and takes it from any other peer. Host bits are masked. Returns 0, -EINVAL
 * for an invalid prefix, or the error of mirror->allowed_begin or allowedips_insert(); nothing has
 * then changed. */
int device_peer_allow(struct device *d, struct peer *p, const struct prefix *prefix);
/* Takes @prefix from @p, if @p has it. */
void device_peer_disallow(struct device *d, struct peer *p, const struct prefix *prefix);
/* Replaces all prefixes of a peer: begin, device_peer_allow() for each new one, end. The old
 * prefixes stay in force until end, which removes those that were not given again. So repeating a
 * configuration, as `wg syncconf` does, disturbs no packet. A second begin before end also marks
 * the prefixes that were given since the first. */
void device_peer_replace_begin(struct peer *p);
void device_peer_replace_end(struct device *d, struct peer *p);

/* Messages and notes ------------------------------------------------------------------------- */

/* Takes a message of types 1-3 from @from, whose local side is filled in. The caller measures
 * @under_load. Returns REASON_none, or the reason for the drop, which is counted in d->counts. */
enum reason device_input(struct device *d, const void *msg, size_t len, const struct endpoint *from,
			 bool under_load, uint64_t now_ns);

/* A worker has staged a packet or used a session that is due for renewal: begins a handshake,
 * unless one is under way or the last initiation is less than REKEY_TIMEOUT_S old. */
void device_want_handshake(struct device *d, struct peer *p, uint64_t now_ns);

/* A worker has authenticated a data message under @s: if @s is peer->next, it becomes current. @s
 * may be NULL or any other session, because the note may be stale. */
void device_confirmed(struct device *d, struct peer *p, const struct session *s, uint64_t now_ns);

/* An authenticated message came from @from: makes @from the endpoint if it differs and
 * ops->answerable accepts it ("roaming", [W] 2.1). */
void device_roamed(struct device *d, struct peer *p, const struct endpoint *from);

/* Does what is due for the peer and schedules it again. Workers ask for it when they have set a
 * timer of a peer that the control thread is not watching, see timers.h. */
void device_check_timers(struct device *d, struct peer *p, uint64_t now_ns);

/* Notes of workers were lost, and some may have been about @p: does whatever they can have asked
 * for. */
void device_catch_up(struct device *d, struct peer *p, uint64_t now_ns);

/* Does what is due for the peers whose deadline has passed, earliest first. Returns after
 * PASS_TURN_NS even if more is due, but serves at least one peer. device_next() is then not later
 * than @now_ns, and the caller calls again after its other events. */
void device_tick(struct device *d, uint64_t now_ns);

/* Returns the time at which device_tick() must be called next, or TIMERS_NEVER. */
uint64_t device_next(const struct device *d);

/* Wipes every session and handshake, because the host was suspended, restored or cloned. */
void device_zero_all(struct device *d, uint64_t now_ns);

#endif
