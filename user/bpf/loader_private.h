/* SPDX-License-Identifier: MIT */
/*
 * loader_private.h - declarations that the files of the loader share:
 *
 *   loader.c         load, pin, NICs
 *   loader_parts.c   BPF objects for the tunnel and for SO_REUSEPORT, loaded when first needed
 *   loader_maps.c    contents of the maps
 *
 * The ingress object owns the maps. The other objects use the same maps instead of their own.
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
	uint32_t ifindex;	 /* 0 = this entry is free */
	int link_fd;		 /* XDP program attached by bpf_link, or -1 */
	struct chainlink *chain; /* XDP program in libxdp's dispatcher, or NULL */
	struct tclink tc;
	struct nic_value value; /* content of the NIC's element in the map nics */
};

struct loader {
	struct ingress_bpf *skel;
	struct ingress_bpf *generic; /* a copy for generic mode; NULL = not needed so far */
	struct bpf_object *tunnel, *reuseport; /* NULL = not needed so far */
	struct pins pins;
	struct nic nics[NICS_MAX]; /* indexed by the NIC's number in the maps */
	struct tclink egress, ingress;
	uint32_t handle;					 /* handle of our clsact filters */
	volatile uint64_t *tun_writer_values, *heartbeat_values; /* mmap() of the BPF arrays */
	int64_t clock_ahead_ns;
	unsigned cpus;
	uint64_t update_once_until_ns; /* update() does not retry before this time */
	void *per_cpu; /* buffer for one element of a per-CPU map: a value for each CPU */
	struct ring_buffer *events;
	void (*event_cb)(void *ctx, const struct event *e); /* set in loader_events_read() */
	void *event_ctx;
};

/* Size of the largest value of a per-CPU map. The kernel rounds the size of each value up to a
 * multiple of 8 bytes, but this size is already such a multiple. */
#define PER_CPU_VALUE sizeof(struct peer_stats_value)

/* The most files that are opened to load one of our BPF objects. */
#define LOAD_FILES 32

/* Explains in @f why loading has failed with @err. Returns the error that loader_new() returns. */
int loader_load_fault(int err, struct fault *f);

/* Defined in loader_parts.c. */
void loader_parts_done(struct loader *l);

/* Defined in loader_maps.c. */
int loader_maps_init(struct loader *l, struct fault *f);
void loader_maps_done(struct loader *l);

#endif
