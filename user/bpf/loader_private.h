/* SPDX-License-Identifier: MIT */
/*
 * loader_private.h - what the files of the loader share:
 *
 *   loader.c         load, pin, NICs
 *   loader_parts.c   what is loaded when first asked for: the tunnel's programs, reuseport's
 *   loader_maps.c    the maps' contents
 *
 * The ingress object owns the maps; the others are loaded with the same ones in the place of theirs.
 */
#ifndef WGXDP_LOADER_PRIVATE_H
#define WGXDP_LOADER_PRIVATE_H

#include <bpf/libbpf.h>

#include "bpf/chainlink.h"
#include "bpf/ingress.skel.h"
#include "bpf/loader.h"
#include "bpf/pins.h"
#include "bpf/tclink.h"

struct nic {
	uint32_t ifindex;	 /* 0: free */
	int link_fd;		 /* of XDP; -1: attached otherwise */
	struct chainlink *chain; /* of XDP in a dispatcher, or NULL */
	struct tclink tc;
	struct nic_value value; /* what the map has */
};

struct loader {
	struct ingress_bpf *skel;
	struct tunnel_bpf *tunnel_skel;	      /* NULL: not loaded */
	struct reuseport_bpf *reuseport_skel; /* likewise */
	struct pins pins;
	struct nic nics[NICS_MAX]; /* a NIC's place is its number in the maps */
	struct tclink egress, ingress;
	uint32_t handle;					 /* of our clsact filters */
	volatile uint64_t *tun_writer_values, *heartbeat_values; /* mmapped */
	unsigned cpus;
	void *per_cpu; /* room for one element of a per-CPU map: cpus times its value */
	struct ring_buffer *events;
	void (*event_cb)(void *ctx, const struct event *e); /* while loader_events_read() runs */
	void *event_ctx;
};

/* The largest value of a per-CPU map; the kernel wants each rounded up to 8 bytes, and it is. */
#define PER_CPU_VALUE sizeof(struct peer_stats_value)

/* A load that failed: a sentence, and the error that loader_new() promises. */
int loader_load_fault(int err, struct fault *f);

/* loader_parts.c */
void loader_parts_done(struct loader *l);

/* loader_maps.c */
int loader_maps_init(struct loader *l, struct fault *f);
void loader_maps_done(struct loader *l);

#endif
