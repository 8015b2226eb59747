/* SPDX-License-Identifier: MIT */
/*
 * network.h - a simulated clock, random numbers and a network that loses, delays, reorders and
 * repeats messages. One seed determines everything. Part of world.h.
 */
#ifndef WGXDP_TEST_NETWORK_H
#define WGXDP_TEST_NETWORK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wg/device.h"
#include "wgxdp/limits.h"
#include "wgxdp/wire.h"
#include "witness.h"

#define NODES_MAX 3
#define INDICES_MAX 64
#define PACKET_MAX 128
#define HISTORY_LEN 64 /* a power of two */
#define SECONDS(n) ((uint64_t)((n)*1e9))

struct node;

/* Kinds of notes. A note is a message between a worker and the control thread of one node, in
 * either direction. */
enum told { TOLD_NONE, TOLD_WANT, TOLD_CONFIRMED, TOLD_MOVED, TOLD_WATCH, TOLD_FLUSH };

/* A message on the network, or a note. */
struct datagram {
	struct datagram *next;
	uint64_t at_ns;
	struct endpoint from, to; /* in a note, `from` is the peer's new endpoint */
	/* The next four members are used only in a note. */
	enum told note;
	struct node *node;
	uint64_t peer_serial;
	uint32_t index;
	/* All further members are used only in a message. */
	uint64_t number; /* number of the message; its repeated copies have the same number */
	unsigned sender;
	bool forged;   /* the message is damaged, so no node may change its state */
	bool accepted; /* a node has accepted it; set only in world->history */
	size_t len;
	uint8_t data[wire_data_len(PACKET_MAX)];
};

struct retired {
	struct retired *next;
	void *object;
	void (*free_fn)(void *object);
};

#define MAP_MAX 256

struct node {
	struct world *world;
	struct device device;
	unsigned id; /* index in world->nodes */
	uint8_t private[WIRE_KEY_LEN];
	struct endpoint address;
	int64_t unix_offset_ns;
	uint64_t clock_step_ns, clock_ahead_ns; /* each reading adds the step to clock_ahead_ns */
	bool under_load;
	int send_error, index_error, peer_error,
		allowed_error; /* results of the ops, 0 or -errno; the test sets them */
	struct {
		uint32_t index;
		bool pending;
	} begun[INDICES_MAX];
	unsigned begun_count, peers_begun;
	struct { /* the simulated BPF map of allowed IPs, which node_mirror changes */
		struct prefix prefix;
		uint32_t slot;
	} map[MAP_MAX];
	unsigned map_count;
	struct retired *retired;
	uint64_t heard[NODES_MAX];    /* number of the newest initiation accepted from each node */
	unsigned sends;		      /* calls of ops->send, including refused ones */
	unsigned sent[WIRE_DATA + 1]; /* messages sent, by type */
	unsigned received_data, received_empty, last_serial, staged_full;
	unsigned heard_data[NODES_MAX]; /* packets received, by the node that sealed them */
	unsigned events[DEVICE_EVENTS], flushes, endpoint_changes, identity_changes, unanswered;
	enum reason last; /* result of the last call of device_handshake_input() */
};

struct world {
	uint64_t now_ns;
	uint64_t random;
	unsigned loss_percent, repeat_percent, late_percent;
	uint64_t delay_ns, delay_jitter_ns,
		late_ns;	/* late_percent of the messages take up to late_ns longer */
	uint64_t note_delay_ns; /* 0: a note arrives at once */
	unsigned index_bits;	/* length of random indices: 32, or fewer so that they collide */
	struct node nodes[NODES_MAX];
	unsigned node_count;
	struct datagram *queue; /* in the order of arrival */
	struct datagram history[HISTORY_LEN];
	uint64_t number;
	uint64_t calm;	       /* number of the last message before the network became reliable */
	uint64_t disturbed_ns; /* when a message with a number up to calm last arrived */
	uint64_t forgot;       /* value of number when a node last lost its timestamps */
	struct witness witness;
	uint32_t serial;
};

/* Returns a random number (xorshift64*). One seed always gives the same numbers. */
uint64_t world_random(struct world *w);

bool world_chance(struct world *w, unsigned percent);

/* Returns a copy on the heap, for world_enqueue(). */
struct datagram *world_copy(const struct datagram *dg);

/* Adds @dg to the queue, which then owns it. */
void world_enqueue(struct world *w, struct datagram *dg);

/* Returns the next message of the queue, which must not be empty. The caller frees it. */
struct datagram *world_unqueue(struct world *w);

/* Sends a copy, which may be delayed but is never lost. */
void world_deliver(struct world *w, const struct datagram *dg);

/* Sends a message of @n over the network. */
void world_transmit(struct world *w, const struct node *n, const struct endpoint *to,
		    const void *msg, size_t len);

#endif
