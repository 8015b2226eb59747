/* SPDX-License-Identifier: MIT */
/*
 * world.h - devices joined by a simulated network and clock, for test_device.c and
 * test_simulation.c. A node is a device and the least that a worker does: it seals, opens, stages,
 * and tells the device what a worker would note, at once or a moment later.
 *
 *   node_send ─▶ seal ─┐                                    ┌─▶ open ─▶ node->received_data
 *   device ─▶ ops.send ─┴─▶ loss, delay, repeats ─▶ queue ───┴─▶ device_input
 *   worker ─▶ note ──────────────────────────────▶ queue ─────▶ device_want_handshake, ...
 *
 * network.h has the clock and the network, node.h what the device asks for, witness.h what has been
 * seen. Checked all the time: no nonce twice under a key; nothing opened, and no session current,
 * unless the other side derived its keys; each initiation once and in order; what is forged changes
 * nothing; the index table, what was begun and not ended, and the peers' sessions agree.
 */
#ifndef WGXDP_WORLD_H
#define WGXDP_WORLD_H

#include "node.h"

struct payload {		    /* the inner packet */
	uint8_t from[WIRE_KEY_LEN]; /* public key under which it was sealed */
	uint32_t serial;
};

/* Notes between worker and control thread ------------------------------------------------------- */

/* As in the daemon a note names its peer by number: it may be gone when the note is heard. */
void node_note(struct node *n, enum told kind, struct peer *p, uint32_t index,
	       const struct endpoint *from);

/* A worker ------------------------------------------------------------------------------------- */

/* Seals @packet for @p and sends it. False if there is no session. */
bool node_seal(struct node *n, struct peer *p, const void *packet, size_t len);

/* A packet of @len bytes for @p: sent, staged, or refused for want of an endpoint. */
void node_send_len(struct node *n, struct peer *p, size_t len);

void node_send(struct node *n, struct peer *p); /* the shortest */

/* A data message: opened and delivered, if it is good. */
void node_open(struct node *n, struct datagram *dg);

/* The world ------------------------------------------------------------------------------------ */

/* 10.0.0.@host:@port */
struct endpoint world_address(uint8_t host, uint16_t port);

/* A private key that nobody had. */
void node_new_key(struct node *n);

/* Do the tables, what was begun and the sessions agree? Is each current session matched? */
void node_check(struct node *n);

/* A device without peers, down. */
void node_start(struct node *n);

/* Its end, as of a process: also what was said to it and not heard. */
void node_stop(struct node *n);

/* @count nodes with keys, up, at 10.0.0.1, 10.0.0.2, …; nobody knows anybody. */
struct world *world_new(unsigned count, uint64_t seed);

void world_free(struct world *w);

/* Makes @b a peer of @a, with or without its endpoint. */
struct peer *world_meet(struct node *a, const struct node *b, bool endpoint);

/* A message of types 1 to 3. */
enum reason node_input(struct node *n, const struct datagram *dg);

/* A number for all that only authentic messages may change. */
uint64_t node_state(const struct node *n);

/* When something happens next, by itself. */
uint64_t world_next(const struct world *w);

/* Lets the world go on until @until_ns. */
void world_run(struct world *w, uint64_t until_ns);

void world_pass(struct world *w, double seconds);

#endif
