/* SPDX-License-Identifier: MIT */
/*
 * world.h - devices joined by a simulated network and clock. A node is a device and a minimal
 * worker. The worker seals and opens packets, and queues them while there is no session. It sends
 * notes to its device, at once or with a delay. Notes are the requests and reports that a real
 * worker sends to the control thread.
 *
 *   node_send ─▶ seal ──┐                                    ┌─▶ open ─▶ node->received_data
 *   device ─▶ ops.send ─┴─▶ loss, delay, repeats ─▶ queue ───┴─▶ device_handshake_input
 *   worker ─▶ note ───────────────────────────────▶ queue ─────▶ device_want_handshake, ...
 *
 * network.h has the clock and the network, node.h the ops of the device, witness.h the record of
 * what happened. The world checks at each step:
 *   - No nonce is used twice under a key.
 *   - No message opens, and no session is current, unless the other side has derived the same keys.
 *   - Each initiation is accepted once and in order. A forged message changes nothing.
 *   - The index table, the simulated BPF maps, and the sessions of the peers agree.
 */
#ifndef WGXDP_WORLD_H
#define WGXDP_WORLD_H

#include "node.h"

struct payload {		    /* the inner packet */
	uint8_t from[WIRE_KEY_LEN]; /* public key of the node that sealed it */
	uint32_t serial;
};

/* Notes between worker and control thread ------------------------------------------------------ */

/* Sends a note. The note names its peer by a number, because the peer may be removed before the
 * note arrives. */
void node_note(struct node *n, enum told kind, struct peer *p, uint32_t index,
	       const struct endpoint *from);

/* A worker ------------------------------------------------------------------------------------- */

/* Seals @packet for @p and sends it. Returns false if there is no session. */
bool node_seal(struct node *n, struct peer *p, const void *packet, size_t len);

/* Sends a packet of @len bytes to @p, or queues it until there is a session. Drops the packet if @p
 * has no endpoint. */
void node_send_len(struct node *n, struct peer *p, size_t len);

void node_send(struct node *n, struct peer *p); /* the shortest packet */

/* Opens and delivers a data message if it is valid. */
void node_open(struct node *n, struct datagram *dg);

/* The world ------------------------------------------------------------------------------------ */

/* Returns 10.0.0.@host:@port. */
struct endpoint world_address(uint8_t host, uint16_t port);

/* Gives @n a new private key. */
void node_new_key(struct node *n);

/* Checks that the index table, the simulated BPF maps and the sessions of the peers agree, and that
 * the other side has derived the keys of each current session (witness.h). */
void node_check(struct node *n);

/* Starts the node's device. At first the device is down and has no peers. */
void node_start(struct node *n);

/* Ends a device, as if its process ended: its pending notes are lost. */
void node_stop(struct node *n);

/* Makes @count nodes that are up, with keys and without peers, at 10.0.0.1, 10.0.0.2, ... */
struct world *world_new(unsigned count, uint64_t seed);

void world_free(struct world *w);

/* Makes @b a peer of @a, with or without its endpoint. */
struct peer *world_meet(struct node *a, const struct node *b, bool endpoint);

/* Gives an initiation, a response or a cookie reply to the device. */
enum reason node_input(struct node *n, const struct datagram *dg);

/* Returns a hash of the state that only authentic messages may change. */
uint64_t node_state(const struct node *n);

/* Returns the time of the next event. */
uint64_t world_next(const struct world *w);

/* Handles all events up to @until_ns. */
void world_run(struct world *w, uint64_t until_ns);

void world_pass(struct world *w, double seconds);

#endif
