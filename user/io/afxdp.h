/* SPDX-License-Identifier: MIT */
/*
 * afxdp.h - one AF_XDP socket on one queue with its own UMEM: fill, rx, tx, completion ring.
 * (libxdp owns the prefix xsk_.) The picture of who owns a frame when stands in afxdp.c.
 */
#ifndef WGXDP_AFXDP_H
#define WGXDP_AFXDP_H

#include "io/transport.h"
#include "util/fault.h"

enum afxdp_zc { AFXDP_ZC_AUTO, AFXDP_ZC_ON, AFXDP_ZC_OFF };

struct afxdp_config {
	const char *nic;
	uint32_t ifindex;
	uint32_t layer3; /* the interface that received frames are said to come from */
	uint32_t queue;
	uint32_t mtu;	    /* of the NIC; decides 2048 or 4096 bytes a frame */
	uint32_t rx_frames; /* powers of two; 0 = 4096 */
	uint32_t tx_frames;
	enum afxdp_zc zero_copy;
	bool generic; /* attached in generic (skb) mode */
};

/* The largest NIC MTU whose packets fit one chunk. */
#define AFXDP_MTU_MAX (4096 - 256 - 18)

/* Opens the socket. The caller attaches the XDP program and enters o->fd in the map xsks. A queue
 * that is busy, because it was closed a moment ago, is retried for up to 1 s. Returns 0 and *@o,
 * or -errno with @f filled: -EMSGSIZE (MTU), -EBUSY (another AF_XDP socket has the queue), -EPERM,
 * -EOPNOTSUPP. */
int afxdp_new(struct transport **o, const struct afxdp_config *config, struct fault *f);

/* Is @config->queue free of AF_XDP sockets? Opens a small one in copy mode to find out, which does
 * not reconfigure the NIC. The kernel releases that one some 30 ms later. */
bool afxdp_vacant(const struct afxdp_config *config);

/* Did the kernel choose zero-copy (read back from XDP_OPTIONS)? */
bool afxdp_zero_copy(const struct transport *o);

/* Adds the kernel's counters (XDP_STATISTICS) to @d. Any thread. */
struct afxdp_drops {
	uint64_t rx_dropped, rx_invalid_descs, tx_invalid_descs;
	uint64_t rx_ring_full, rx_fill_ring_empty, tx_ring_empty;
};
int afxdp_drops(const struct transport *o, struct afxdp_drops *d);

#endif
