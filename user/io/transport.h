/* SPDX-License-Identifier: MIT */
/*
 * transport.h - how a worker exchanges datagrams with the outer network. These operations are
 * implemented in afxdp*.c and udp*.c. Only the reader of a transport calls recv, alloc, send and
 * sweep: the worker that owns the transport, or the control thread for the socket that receives the
 * handshakes for several workers. The control thread calls deinit, but only while no reader uses
 * the transport.
 *
 *        recv ──▶ the reader owns the frames ──▶ sweep  rx: used in place, only until sweep
 *        alloc ─▶ the reader owns the frames ──▶ send   tx: every allocated frame must be passed to
 *                                                           send(), which frees a frame with len 0
 *                                                           without sending it
 */
#ifndef WGXDP_TRANSPORT_H
#define WGXDP_TRANSPORT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "io/frame.h"
#include "wgxdp/wire.h"

struct transport;

struct transport_stats { /* since the transport was opened; only its reader writes them */
	_Atomic uint64_t rx_packets, tx_packets; /* data messages except keepalives */
	_Atomic uint64_t tx_refused;		 /* not accepted by send() */
	_Atomic uint64_t tx_dropped;   /* accepted by send(), dropped by the kernel later */
	_Atomic uint64_t tx_in_flight; /* accepted by send(), not completed yet; a gauge */
	_Atomic uint64_t rx_oversized; /* recv: did not fit the buffer and was truncated */
	_Atomic uint64_t rx_malformed; /* recv: not a complete UDP datagram in an IP packet */
};

struct transport_ops {
	const char *name; /* "xdp" or "udp" */
	/* Closes the transport and frees it. */
	void (*deinit)(struct transport *transport);
	/* Receives up to @max datagrams. Returns their number. Never blocks. */
	unsigned (*recv)(struct transport *transport, struct rx_frame *frames, unsigned max);
	/* Allocates up to @n frames for @len bytes each. Returns fewer if the transport is full. */
	unsigned (*alloc)(struct transport *transport, struct tx_frame *frames, unsigned n,
			  uint32_t len);
	/* Adds outer headers and sends the frames. All frames then belong to the transport again.
	 * Returns how many of the frames with len > 0 the kernel accepted, and sets len to 0 in
	 * those that it did not accept. */
	unsigned (*send)(struct transport *transport, struct tx_frame *frames, unsigned n);
	/* Returns received frames to the kernel, reclaims frames that were sent, and wakes the
	 * kernel if needed. */
	void (*sweep)(struct transport *transport);
};

struct transport {
	const struct transport_ops *ops;
	int fd;		  /* fd for poll(): readable when recv() has frames; -1 = none */
	uint32_t ifindex; /* ifindex of the NIC; 0 = any (udp) */
	uint32_t layer3;  /* interface where IP receives packets: the NIC, or its bridge or bond */
	uint32_t mtu;	  /* the largest IP packet sent without fragmenting; 0 = no limit (udp) */
	/* Set by sweep(): how many frames the kernel has not consumed from the tx ring yet. poll()
	 * does not wake for them, so the worker sweeps again soon while this is not 0. Only the
	 * reader uses this member. */
	unsigned unsent;
	/* Set by sweep(): how full the queue between send() and the NIC is, in sixteenths. For UDP
	 * sockets, stays 0 until a send buffer is full. Only the reader uses this member. */
	unsigned fullness;
	/* Busy polling: recv() makes the kernel poll the queue, and the reader sleeps only after
	 * this time without a packet. 0 = no busy polling. */
	uint32_t busy_poll_ns;
	struct transport_stats stats;
};

/* Returns true for a data message that is not a keepalive. rx_packets and tx_packets count these
 * messages. */
static inline bool transport_is_data(const uint8_t *payload, uint32_t len)
{
	return len > wire_data_len(0) && payload[0] == WIRE_DATA;
}

/* Adds to a count that only the calling thread writes. */
static inline void transport_count(_Atomic uint64_t *count, uint64_t n)
{
	atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

#endif
