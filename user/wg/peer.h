/* SPDX-License-Identifier: MIT */
/*
 * peer.h - one peer: its keys, sessions, endpoint, prefixes, counters.
 *
 *   peer_new ─▶ entered in the device ─▶ removed: no trie, index or key leads to the peer
 *      ─▶ retired by device_ops ─▶ peer_free, when no worker can hold the peer any more
 *
 * Only the control thread adds and removes peers. The sessions of a peer ([W] 6.3):
 *
 *   previous ◀── current ◀── next      a confirmed next replaces current, which becomes previous
 *
 *   next      we are the responder, and nothing proves yet that the initiator has the keys; we send
 *             under this session as soon as a worker has decrypted a message of this session
 *   current   sends and receives
 *   previous  still decrypts messages that were in flight when current replaced it
 */
#ifndef WGXDP_PEER_H
#define WGXDP_PEER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "wg/allowedips.h"
#include "wg/cookie.h"
#include "wg/endpoint.h"
#include "wg/noise.h"
#include "wg/session.h"
#include "wg/stage.h"
#include "wg/timers.h"

#define PEER_NAME_LEN 32

struct encap; /* resolved outer headers, io/encap.h; opaque here */

struct peer {
	/* hot: workers read these; the control thread publishes the pointers */
	_Atomic(struct session *) current;
	_Atomic(struct session *) next;	     /* see peer_session() */
	_Atomic(const struct encap *) encap; /* NULL = no endpoint, or a key of low order */
	uint64_t serial;		     /* unique over the lifetime of the device */
	uint32_t slot; /* 0..PEERS_MAX-1; key in BPF maps; reused after removal */
	struct timers timers;
	struct stage stage;
	_Atomic uint64_t rx_bytes,
		rx_packets; /* UDP payload and number of authenticated messages of all types */
	_Atomic uint64_t tx_bytes, tx_packets;
	/* BOOTTIME at which a packet to the peer last refreshed the conntrack entry. Such packets
	 * go through the UDP socket: every message of the control thread, and from time to time a
	 * data message that AF_XDP could have carried (path/seal.c). */
	_Atomic uint64_t last_udp_ns;
	_Atomic uint64_t wanted_ns; /* when a worker last requested a handshake; 0 = none */
	_Atomic bool no_gso;	    /* the kernel refused UDP_SEGMENT on the path to the endpoint */
	/* Shared by the workers while the peer roams, see path/roaming.h. */
	_Atomic uint64_t moved_ns;   /* when a worker last checked or reported a new endpoint */
	_Atomic uint32_t roam_count; /* number of new endpoints reported so far */
	atomic_flag roaming_lock;    /* protects moved_to */
	struct endpoint moved_to;    /* the newest endpoint that was reported */

	/* cold: control thread only */
	struct noise_remote remote;
	struct noise_handshake handshake;
	struct cookie_maker cookie;
	struct session *previous;
	struct endpoint endpoint; /* AF_UNSPEC = not known */
	struct allowedips_list allowed;
	struct allowedips_list leaving;	      /* prefixes to remove at device_peer_replace_end() */
	uint64_t latest_handshake_unix_ns;    /* 0 = never */
	uint64_t last_initiation_consumed_ns; /* BOOTTIME; 0 = never; for INITIATIONS_PER_SECOND */
	uint64_t last_tai64n_unix_ns;	      /* time in the newest initiation sent to the peer */
	uint64_t counted_packets; /* rx_packets + tx_packets as last written to the map peer_auth */
	char name[PEER_NAME_LEN]; /* from "# Name =" in the configuration; "" = none */
	struct peer *list_next, *list_prev; /* order of addition */
	struct peer *hash_next;
	uint64_t deadline_ns; /* key in device->deadlines; TIMERS_NEVER = not in the heap */
	uint32_t heap_at;     /* index in the heap */
};

/* Makes a peer with the public key and no slot. The caller owns the peer. Returns NULL when out of
 * memory. */
struct peer *peer_new(const struct noise_identity *id, const uint8_t public[static WIRE_KEY_LEN]);

/* Wipes and frees a peer and its sessions, and frees its staged packets. Does nothing if the peer
 * is NULL. The argument is void * so that the function can be given to device_ops.retire. */
void peer_free(void *peer);

/* Returns the session to send under, or NULL. Returns p->next as soon as a worker has decrypted a
 * message under p->next, because the other side may have lost the keys of p->current. The control
 * thread moves p->next to p->current soon afterwards. The loads are sequentially consistent, like
 * the accesses to stage->count. So if a worker stages a packet while the control thread publishes a
 * session, the worker sees the session, or the control thread sees the packet, or both. Any
 * thread may call this function. */
static inline struct session *peer_session(const struct peer *p)
{
	struct session *next = atomic_load_explicit(&p->next, memory_order_seq_cst);

	if (next && atomic_load_explicit(&next->confirmed, memory_order_acquire))
		return next;
	return atomic_load_explicit(&p->current, memory_order_seq_cst);
}

/* Count @packets messages of one peer with @bytes of UDP payload in total, and update its timers.
 * @data: at least one of the messages carried a packet. Received messages must have authenticated.
 * Workers make one call for successive messages of one session. Return true if the control thread
 * must check the timers, see timers_sent(). Any thread may call them. */
bool peer_sent(struct peer *p, unsigned packets, uint64_t bytes, bool data, uint64_t now_ns);
bool peer_received(struct peer *p, unsigned packets, uint64_t bytes, bool data, uint64_t now_ns);

#endif
