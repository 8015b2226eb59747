/* SPDX-License-Identifier: MIT */
/*
 * device.h - a WireGuard device: identity, peers, tables, and the handshake engine that drives
 * them. The device makes no system call. It reaches everything outside this folder through struct
 * device_ops and struct device_mirror.
 *
 *   message of types 1-3 ─▶ device_handshake_input ─▶ macs, cookies, limits ─▶ noise ─▶ sessions
 *   notes of workers     ─▶ device_want_handshake, device_confirmed, device_roamed,
 *                           device_check_timers, device_catch_up
 *   clock                ─▶ device_tick ─▶ retries, keepalives, wiping
 *   configuration        ─▶ device_set_*, device_peer_*
 *
 * Only the control thread calls these functions; README.md lists what workers may call. All times
 * named now_ns are CLOCK_BOOTTIME in ns.
 */
#ifndef WGXDP_DEVICE_H
#define WGXDP_DEVICE_H

#include "wg/heap.h"
#include "wg/peer.h"
#include "wg/ratelimit.h"
#include "wgxdp/reasons.h"

/* Events that are reported for debug messages. No decision depends on an event. */
enum device_event {
	DEVICE_HANDSHAKE_RETRY, /* no response within REKEY_TIMEOUT_S; another initiation is sent */
	DEVICE_HANDSHAKE_GIVEN_UP, /* no response within REKEY_ATTEMPT_TIME_S */
	DEVICE_BAD_INITIATION,	   /* not authentic, replayed, or from an unknown peer */
	DEVICE_BAD_MAC1,	   /* the mac1 of an initiation is wrong */
	DEVICE_BAD_RESPONSE,	   /* a response has a wrong mac1 or did not authenticate */
	DEVICE_SESSION_BEGUN,
	DEVICE_KEEPALIVE_SENT,
	DEVICE_KEYS_WIPED,
	DEVICE_COOKIE_SENT,
	DEVICE_EVENTS
};

/* What peer_changed() reports. */
enum peer_change {
	/* The endpoint has changed, or the peer's key turned out to be of low order. Nothing may be
	 * sent to a peer with such a key. */
	PEER_CHANGE_ENDPOINT,
	PEER_CHANGE_HANDSHAKE, /* a handshake was completed */
	PEER_CHANGE_NAME,
};

struct device_ops {
	/* Fills @n bytes from a cryptographic source. */
	void (*random)(void *ctx, void *out, size_t n);
	/* Returns CLOCK_REALTIME in ns. */
	uint64_t (*unix_ns)(void *ctx);
	/* Returns CLOCK_BOOTTIME in ns. Used only to end device_tick() after PASS_TURN_NS. */
	uint64_t (*boot_ns)(void *ctx);
	/* Sends @len bytes to @to through the UDP socket. @peer is NULL for a cookie reply. Returns
	 * 0 or -errno. */
	int (*send)(void *ctx, struct peer *peer, const struct endpoint *to, const void *msg,
		    size_t len);
	/* Returns true if @from, the source of an authenticated message, can be the endpoint of a
	 * peer. Asks the routing table, because neither a broadcast address nor an address of this
	 * host can be an endpoint (except on the loopback interface). NULL: every source is
	 * accepted. */
	bool (*answerable)(void *ctx, const struct endpoint *from);
	/* Reports that @peer has changed, and by @change what has changed. */
	void (*peer_changed)(void *ctx, struct peer *peer, enum peer_change change);
	/* At least two initiations have had no answer, and the next one is about to be sent. The
	 * peer may have moved to another address. May be NULL. */
	void (*unanswered)(void *ctx, struct peer *peer);
	/* The peer is being removed; its memory is retired afterwards. May be NULL. */
	void (*peer_removed)(void *ctx, struct peer *peer);
	/* Tells a worker to send the staged packets of @peer, which has a session now. */
	void (*flush)(void *ctx, struct peer *peer);
	/* Frees an object when no worker can hold it any more, see retire_fn in indextab.h. The
	 * device always unpublishes an object before it retires the object. */
	retire_fn retire;
	/* Reports an event. @peer or @from may be NULL. If a received message caused the event,
	 * @peer is given only if the message was authentic. */
	void (*event)(void *ctx, enum device_event event, const struct peer *peer,
		      const struct endpoint *from);
};

/* The BPF maps, which mirror the tables of the device. Each function changes the maps before it
 * returns. The functions that return int return 0, or -errno if a map is full; in that case the
 * maps are unchanged. */
struct device_mirror {
	/* A receiver index becomes valid or invalid. index_begin is called before any message that
	 * carries the index is sent. @pending: the handshake of the index is not complete. A second
	 * call, with @pending false, turns a pending index into the index of a session. */
	int (*index_begin)(void *ctx, uint32_t index, const struct peer *peer, bool pending);
	void (*index_end)(void *ctx, uint32_t index);
	/* peer_begin: peer->slot was assigned to @peer. peer_end: the slot becomes free. */
	int (*peer_begin)(void *ctx, const struct peer *peer);
	void (*peer_end)(void *ctx, const struct peer *peer);
	/* The private key was replaced or cleared: d->identity and d->checker have changed. */
	void (*identity_changed)(void *ctx);
	/* allowed_begin gives the prefix to @peer, even if another peer has it. allowed_end removes
	 * the prefix. The host bits are zero. */
	int (*allowed_begin)(void *ctx, const struct prefix *prefix, const struct peer *peer);
	void (*allowed_end)(void *ctx, const struct prefix *prefix);
};

struct device {
	const struct device_ops *ops;
	void *ctx; /* context of ops */
	const struct device_mirror *mirror;
	void *mirror_ctx;
	struct noise_identity identity;
	struct cookie_checker checker;
	struct indextab *indices;
	struct allowedips *allowed;
	struct ratelimit *limiter;
	struct peer *first, *last; /* the peers, in the order in which they were added */
	uint32_t peer_count;
	bool up;		      /* while this is false, nothing is sent */
	uint64_t last_serial;	      /* serial of the peer that was added last */
	uint64_t last_tai64n_unix_ns; /* time in the newest initiation sent to any peer */
	struct peer **by_key;	      /* hash table of public keys, keyed with hash_secret */
	uint8_t hash_secret[16];
	uint32_t by_key_cap; /* a power of two, never less than peer_count */
	struct heap deadlines;
	/* Both slot arrays have room for by_key_cap slots. Slots from next_slot on have
	 * never been used. */
	uint32_t *free_slots, free_slot_count, next_slot; /* free_slots is a stack */
	struct peer **by_slot;				  /* NULL = the slot is free */
	uint64_t counts[REASON_COUNT]; /* drops by reason: handshake messages, staged packets */
};

/* Makes a device that is down and has no key and no peers. @ops, @mirror and their contexts must
 * outlive the device. Returns 0 or -ENOMEM; after an error the device needs no device_done(). */
int device_init(struct device *d, const struct device_ops *ops, void *ctx,
		const struct device_mirror *mirror, void *mirror_ctx);
/* Sets how many handshakes per second are accepted from each source with a valid mac2 while the
 * device is under load. Returns 0, or -ENOMEM with the old limit unchanged. */
int device_set_handshake_rate(struct device *d, uint32_t per_s);
/* Removes all peers, frees the tables and wipes the device. No worker may run any more. The caller
 * frees the objects that were given to ops->retire. */
void device_done(struct device *d);

/* Configuration ------------------------------------------------------------------------------ */

/* The functions below that concern all peers change every peer before they return, because a change
 * of only some peers would be wrong. They do only cheap work (about 1 us per peer, and 1 us per
 * session or map entry that ends). New handshakes and X25519 are left to device_tick(), whose time
 * is bounded.
 *
 *   device_set_private_key  no message may be sent or accepted under the old key
 *   device_set_up           no session key may be left in memory after "down"
 *   device_zero_all         no session key may be used again; workers seal nothing until it returns
 *   device_peers_clear      the caller reports success only when workers can find no removed peer
 */

/* Sets the private key; 32 zeros clear it. Ends all sessions, because they belong to the old key;
 * the next packet begins a new handshake. Removes a peer whose public key equals our new public
 * key. Does nothing if @key is the current key. */
void device_set_private_key(struct device *d, const uint8_t key[static WIRE_KEY_LEN],
			    uint64_t now_ns);

/* Sets the device up or down. When the device comes up, persistent keepalives and handshakes for
 * staged packets begin. When it goes down, sessions and handshakes are wiped, and staged packets
 * are dropped. */
void device_set_up(struct device *d, bool up, uint64_t now_ns);

/* Returns the peer with the public key, or NULL. */
struct peer *device_find(const struct device *d, const uint8_t public[static WIRE_KEY_LEN]);
/* Returns the peer in @slot if its serial is @serial. Returns NULL if that peer was removed. */
struct peer *device_peer_at(const struct device *d, uint32_t slot, uint64_t serial);

/* A position in the list of peers, which stays valid when peers are removed. All zero: before the
 * first peer. */
struct device_place {
	uint64_t serial;
	uint32_t slot;
};

/* Moves @at to the next peer in the order of addition and returns that peer, or NULL after the
 * last. Peers may be added and removed between two calls. If the peer at @at was removed, the call
 * is slow, because it searches the list from the start. */
struct peer *device_peer_next(const struct device *d, struct device_place *at);

/* Adds a peer at the end of the list. The device owns the peer. Returns 0 and sets *@peer, or
 * returns -EADDRINUSE if @public is our own key (the kernel's WireGuard ignores such a peer, and
 * callers must ignore it as well), -EEXIST, -ENOSPC at PEERS_MAX, -ENOMEM, or the error of
 * mirror->peer_begin. */
int device_peer_add(struct device *d, const uint8_t public[static WIRE_KEY_LEN],
		    struct peer **peer);
/* Removes a peer with its sessions, prefixes and staged packets. Callers must not use @p
 * afterwards. */
void device_peer_remove(struct device *d, struct peer *p);
/* Removes all peers. */
void device_peers_clear(struct device *d);

/* Sets the preshared key; 32 zeros clear it. The current session stays valid; the next handshake
 * uses the new key. */
void device_peer_set_psk(struct device *d, struct peer *p, const uint8_t psk[static WIRE_KEY_LEN]);
/* Sets the endpoint of @p. Calls ops->peer_changed if the endpoint has changed. */
void device_peer_set_endpoint(struct device *d, struct peer *p, const struct endpoint *e);
/* Like device_peer_set_endpoint(), for a peer that has moved to another address and may have lost
 * our session. Sends an initiation immediately if packets wait for a session or had no answer, if a
 * handshake is in progress, or if the peer has a persistent keepalive. Does not wait for
 * REKEY_TIMEOUT_S after the last initiation, because that initiation went to the old address. The
 * caller limits how often this is called. */
void device_peer_redirect(struct device *d, struct peer *p, const struct endpoint *e,
			  uint64_t now_ns);
/* Sets the persistent keepalive interval; 0 turns persistent keepalives off. Turning them on sends
 * a keepalive immediately if the device is up. */
void device_peer_set_keepalive(struct device *d, struct peer *p, uint16_t interval_s,
			       uint64_t now_ns);
/* Sets the name of @p that is shown to the user; "" = none. Longer names are cut to
 * PEER_NAME_LEN - 1 bytes. */
void device_peer_set_name(struct device *d, struct peer *p, const char *name);
/* Gives @prefix, whose host bits are ignored, to @p. If another peer has @prefix, that peer loses
 * it. Returns 0, -EINVAL for an invalid prefix, or the error of mirror->allowed_begin or
 * allowedips_insert(). After an error nothing has changed. */
int device_peer_allow(struct device *d, struct peer *p, const struct prefix *prefix);
/* Removes @prefix from @p if @p has it. */
void device_peer_disallow(struct device *d, struct peer *p, const struct prefix *prefix);
/* Replace all prefixes of a peer: call begin, then device_peer_allow() for each new prefix, then
 * end. The old prefixes stay valid until end, which removes those that were not added again. So no
 * packet is lost when a configuration is repeated, as `wg syncconf` does. If begin is called twice
 * before end, end also removes the prefixes that were added only between the two calls. */
void device_peer_replace_begin(struct peer *p);
void device_peer_replace_end(struct device *d, struct peer *p);

/* Messages and notes ------------------------------------------------------------------------- */

/* Handles a message of types 1-3 from @from, which includes our local address. The caller decides
 * @under_load. Returns REASON_none, or the reason for the drop, which is counted in d->counts. */
enum reason device_handshake_input(struct device *d, const void *msg, size_t len,
				   const struct endpoint *from, bool under_load, uint64_t now_ns);

/* A worker has staged a packet, or has used a session that must be renewed. Begins a handshake as
 * soon as timers_may_initiate() returns true, unless one is in progress. If a handshake has been
 * completed in the meantime, only tells a worker to send the staged packets. */
void device_want_handshake(struct device *d, struct peer *p, uint64_t now_ns);

/* A worker has authenticated a data message under @s. If @s is p->next, @s becomes current. For any
 * other @s, or NULL, nothing happens, because the note of the worker may be stale. */
void device_confirmed(struct device *d, struct peer *p, const struct session *s, uint64_t now_ns);

/* An authenticated message came from @from. Makes @from the endpoint of @p (roaming, [W] 2.1),
 * unless @from is invalid or ops->answerable refuses it. */
void device_roamed(struct device *d, struct peer *p, const struct endpoint *from);

/* Handles the expired timers of the peer and computes its next deadline. A worker requests this
 * (NOTE_WATCH, see timers.h) after it has stored a time that the control thread has not read
 * yet. */
void device_check_timers(struct device *d, struct peer *p, uint64_t now_ns);

/* Called for each peer after notes, which the workers send to this thread, were lost. Confirms
 * p->next if a worker has decrypted a message under it, begins a handshake if packets are staged,
 * and checks the timers. Other lost notes need no action: a later packet makes a worker send them
 * again, or they are only diagnostics. */
void device_catch_up(struct device *d, struct peer *p, uint64_t now_ns);

/* Handles the expired timers of all peers, earliest deadline first. Returns after PASS_TURN_NS even
 * if more timers have expired, but not before serving one peer. If expired timers are left,
 * device_next() returns a time that is not later than @now_ns, and the caller calls device_tick()
 * again after it has handled its other events. */
void device_tick(struct device *d, uint64_t now_ns);

/* Returns the time at which device_tick() must be called next, or TIMERS_NEVER. */
uint64_t device_next(const struct device *d);

/* Wipes every session and handshake, because the host was suspended, restored or cloned. */
void device_zero_all(struct device *d, uint64_t now_ns);

#endif
