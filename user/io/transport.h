/* SPDX-License-Identifier: MIT */
/*
 * transport.h - the six operations of a way to the outer network, filled in by afxdp.c and udp.c.
 * The worker's loop knows nothing else of them. All calls are from the worker that owns the path,
 * but init and deinit, which are the control thread's while that worker does not run.
 *
 *        recv ──▶ frames are the worker's ──▶ sweep        rx: looked at in place, given back at once
 *        alloc ─▶ frames are the worker's ──▶ send         tx: all that was allocated must be sent
 *                                                             (len 0 = changed my mind, just free it)
 */
#ifndef WGXDP_TRANSPORT_H
#define WGXDP_TRANSPORT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "io/frame.h"
#include "wgxdp/wire.h"

struct transport;

struct transport_stats { /* counts since init; single writer, read by anyone (relaxed) */
	_Atomic uint64_t rx_packets, tx_packets; /* data messages (type 4 with contents) */
	_Atomic uint64_t tx_refused;		 /* send() did not take it */
	_Atomic uint64_t tx_dropped;		 /* send() took it, the kernel dropped it after */
	_Atomic uint64_t rx_oversized;		 /* recv: did not fit the buffer, or cut short */
	_Atomic uint64_t rx_malformed; /* recv: not a UDP datagram in an IP packet, whole */
};

struct transport_ops {
	const char *name; /* "xdp" or "udp" */
	/* Undoes init. */
	void (*deinit)(struct transport *o);
	/* Up to @max datagrams that have come. 0 = none. Never blocks. */
	unsigned (*recv)(struct transport *o, struct rx_frame *frames, unsigned max);
	/* Up to @n frames to fill. Fewer = the ring is full. */
	unsigned (*alloc)(struct transport *o, struct tx_frame *frames, unsigned n);
	/* Adds outer headers and hands over; frames are the path's again whatever happens.
	 * Returns how many (of those with len > 0) the kernel took; the others have len 0 then. */
	unsigned (*send)(struct transport *o, struct tx_frame *frames, unsigned n);
	/* Gives back what recv() lent, reaps what was sent, wakes the kernel where it asked for it. */
	void (*sweep)(struct transport *o);
};

struct transport {
	const struct transport_ops *ops;
	int fd;		  /* readable when recv() has something: for poll(); -1 = none */
	uint32_t ifindex; /* of the NIC; 0 = any (udp) */
	uint32_t mtu;	  /* what it sends whole, bytes of IP packet; 0 = any size (udp) */
	/* Set by sweep(): messages handed over that the kernel has not taken yet (its own limits, not
	 * ours). Nothing will wake a sleeper for them: while it is not 0, sweep again soon. Worker. */
	unsigned unsent;
	struct transport_stats stats;
};

/* A data message with contents, which is what rx_packets and tx_packets count; a keepalive is not. */
static inline bool transport_is_data(const uint8_t *payload, uint32_t len)
{
	return len > wire_data_len(0) && payload[0] == WIRE_DATA;
}

/* Adds to a count of which the caller is the only writer. */
static inline void transport_count(_Atomic uint64_t *count, uint64_t n)
{
	atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

#endif
