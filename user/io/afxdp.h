/* SPDX-License-Identifier: MIT */
/*
 * afxdp.h - one AF_XDP socket on one queue, with its own UMEM and its own four rings. (The prefix
 * xsk_ belongs to libxdp.) afxdp.c has a diagram of the ownership of frames.
 */
#ifndef WGXDP_AFXDP_H
#define WGXDP_AFXDP_H

#include "io/transport.h"
#include "util/fault.h"

enum afxdp_zc { AFXDP_ZC_AUTO, AFXDP_ZC_ON, AFXDP_ZC_OFF };

struct afxdp_config {
	const char *nic;
	uint32_t ifindex;
	uint32_t layer3; /* interface where IP receives packets: the NIC, or its bridge or bond */
	uint32_t queue;
	uint32_t mtu;	    /* MTU of the NIC; decides whether a chunk has 2048 or 4096 bytes */
	uint32_t rx_frames; /* rx_frames and tx_frames are powers of two; 0 = 4096 */
	uint32_t tx_frames;
	enum afxdp_zc zero_copy;
	uint32_t busy_poll_us; /* 0 = no busy polling */
	bool generic;	       /* the XDP program is attached in generic (skb) mode */
};

/* The largest NIC MTU whose packets fit one chunk of 4096 bytes, in which the kernel reserves 256
 * bytes of headroom. The link header (Ethernet and one VLAN tag) has 18 bytes. */
#define AFXDP_MTU_MAX (4096 - 256 - 18)

/* Opens the socket. Retries for up to 1 s while the queue is busy, because the kernel releases the
 * queue of a closed socket late. The caller attaches the XDP program and enters the socket's fd in
 * the BPF map "xsks". Returns 0 and sets *@transport, or returns -errno with @f filled in:
 * -EMSGSIZE (MTU), -EBUSY (another AF_XDP socket has the queue), -EPERM, -EOPNOTSUPP, -EMFILE or
 * -ENFILE. If the kernel refuses busy polling, the socket works without it, and
 * (*@transport)->busy_poll_ns is 0. */
int afxdp_new(struct transport **transport, const struct afxdp_config *config, struct fault *f);

/* Returns true if @config->queue has no AF_XDP socket. Finds out by opening and closing a small
 * socket in copy mode, which does not reconfigure the NIC. The kernel releases the queue only about
 * 30 ms after the socket is closed, so an afxdp_new() that follows may wait that long. */
bool afxdp_vacant(const struct afxdp_config *config);

/* Returns true if the kernel chose zero-copy (read back from XDP_OPTIONS). */
bool afxdp_zero_copy(const struct transport *transport);

/* The kernel's counters of a socket, see struct xdp_statistics. */
struct afxdp_drops {
	uint64_t rx_dropped, rx_invalid_descs, tx_invalid_descs;
	uint64_t rx_ring_full, rx_fill_ring_empty, tx_ring_empty;
};
/* Adds the counters of the socket to @d. Returns 0 or -errno. Any thread may call this. */
int afxdp_drops(const struct transport *transport, struct afxdp_drops *d);

#endif
