/* SPDX-License-Identifier: MIT */
/*
 * peer.h - one peer: its keys, sessions, endpoint, prefixes, counters.
 *
 * Life: peer_new() by the control thread -> entered in the device -> removed: unreachable from
 * trie and index table, then retired through device_ops, freed when no worker can hold it.
 *
 * Sessions, [W] 6.3, newest last:   previous -> current -> next
 *   next     made by us as responder; nothing proves yet that the other side has it
 *   current  used for sending
 *   previous still opens what was under way
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

struct encap; /* io/encap.h: outer headers, resolved; opaque here */

struct peer {
	/* hot: read by workers, published by the control thread */
	_Atomic(struct session *) current;
	_Atomic(struct session *) next; /* workers only compare it with the session that opened */
	_Atomic(const struct encap *) encap; /* NULL = no endpoint, or no route to it */
	uint64_t serial;		     /* never that of another peer of the device */
	uint32_t slot;			     /* 0..PEERS_MAX-1, the key of the BPF maps */
	struct timers timers;
	struct stage stage;
	_Atomic uint64_t rx_bytes, rx_packets; /* authenticated: UDP payload, handshakes included */
	_Atomic uint64_t tx_bytes, tx_packets;
	_Atomic uint64_t last_udp_ns; /* when a message last left by the UDP socket (conntrack) */
	_Atomic uint64_t wanted_ns;   /* workers: when a handshake was last asked for */
	_Atomic uint64_t moved_ns;    /* workers: when it was last said that the peer moved, */
	_Atomic uint32_t roam_count;  /* how often so far, */
	atomic_flag roaming_lock;     /* and, under this lock, */
	struct endpoint moved_to;     /* where to; see path/roaming.h */

	/* cold: control thread only */
	struct noise_remote remote;
	struct noise_handshake handshake;
	struct cookie_maker cookie;
	struct session *previous;
	struct endpoint endpoint; /* AF_UNSPEC = none */
	struct allowedips_list allowed;
	struct allowedips_list leaving;	      /* being replaced: still in force, see device.h */
	uint64_t latest_handshake_unix_ns;    /* 0 = never */
	uint64_t last_initiation_consumed_ns; /* BOOTTIME; 0 = never; flood guard, [W] 5.1 */
	uint64_t last_tai64n_unix_ns;	      /* of the newest initiation sent to it */
	uint64_t counted_packets; /* rx_packets + tx_packets when last told to the map peer_auth */
	char name[PEER_NAME_LEN]; /* from "# Name ="; "" = none */
	struct peer *list_next, *list_prev; /* device order: as added */
	struct peer *hash_next;
	uint64_t deadline_ns; /* heap.h; TIMERS_NEVER = not in it */
	uint32_t heap_at;
};

/* A peer with its public key set; no slot yet. NULL when out of memory. */
struct peer *peer_new(const struct noise_identity *id, const uint8_t public[static WIRE_KEY_LEN]);

/* Wipes and frees, with its sessions and staged packets; a retire callback. NULL is fine. */
void peer_free(void *peer);

/* The session to send under, or NULL. A next one counts from the moment in which a message opened
 * under it: the answer to that message must not leave under the one before, which the other side
 * may have lost. The control thread makes it current a moment later. Sequentially consistent, as
 * the stage's count is: of a packet pushed and a session published at once, one sees the other.
 * Any thread. */
static inline struct session *peer_session(const struct peer *p)
{
	struct session *next = atomic_load_explicit(&p->next, memory_order_seq_cst);

	if (next && atomic_load_explicit(&next->confirmed, memory_order_acquire))
		return next;
	return atomic_load_explicit(&p->current, memory_order_seq_cst);
}

/* Data path: an authenticated data message of @bytes UDP payload went out or came in.
 * Both are called once per run of messages of one peer in a batch: @packets of them, of which some
 * carried data if @data. Return true when the control thread should look at the timers. */
bool peer_sent(struct peer *p, unsigned packets, uint64_t bytes, bool data, uint64_t now_ns);
bool peer_received(struct peer *p, unsigned packets, uint64_t bytes, bool data, uint64_t now_ns);

#endif
