/* SPDX-License-Identifier: MIT */
/*
 * afxdp_private.h - shared by afxdp.c (the operations of transport.h) and afxdp_setup.c.
 */
#ifndef WGXDP_AFXDP_PRIVATE_H
#define WGXDP_AFXDP_PRIVATE_H

#include <xdp/xsk.h>

#include "io/afxdp.h"

struct afxdp {
	struct transport transport;
	/* hot: used in each iteration of the worker's loop */
	struct xsk_ring_cons rx, completion;
	struct xsk_ring_prod fill, tx;
	uint8_t *area;	    /* the memory of the UMEM */
	uint32_t chunk;	    /* bytes, a power of two */
	uint32_t frame_max; /* the largest frame that the NIC sends, with Ethernet header */
	uint32_t lent_count, idle_count;
	/* Addresses of chunks: of received frames that the worker uses, and free ones for tx. */
	uint64_t *lent, *idle;
	uint16_t ip_id;
	bool zero_copy;
	/* cold: used only at setup, except tx_frames */
	uint32_t rx_frames, tx_frames;
	struct xsk_umem *umem;
	struct xsk_socket *socket;
};

static inline struct afxdp *afxdp_self(const struct transport *transport)
{
	return (struct afxdp *)transport; /* the transport is the first member */
}

extern const struct transport_ops afxdp_ops;

/* Moves the chunks in lent[] to the fill ring, the newest first, because the newest are still in
 * the cache. */
void afxdp_refill(struct afxdp *a);

void afxdp_deinit(struct transport *transport);

#endif
