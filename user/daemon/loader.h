/* SPDX-License-Identifier: MIT */
/*
 * loader.h - the BPF side of an interface: load, pin, attach, fill, detach. Control thread.
 *
 *   loader_new ──▶ maps created and pinned in /sys/fs/bpf/wgxdp/<interface>/ (0700, root)
 *   loader_attach ─▶ XDP program on a NIC by bpf_link: dies with us, is never displaced by accident
 *   loader_map_* ──▶ the maps, kept equal to the peers' state by daemon/mapsync.c
 *   loader_free ───▶ everything gone again
 */
#ifndef WGXDP_LOADER_H
#define WGXDP_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#include "util/fault.h"
#include "wgxdp/maps.h"
#include "wgxdp/reasons.h"

struct loader;

enum loader_mode { LOADER_MODE_AUTO, LOADER_MODE_NATIVE, LOADER_MODE_GENERIC };

/* Loads the programs for @interface and pins the maps. What a dead owner left under the same name
 * is removed first (the caller holds the interface's lock). Where /sys/fs/bpf is no bpffs, it goes
 * on unpinned: loader_pinned() tells. Returns 0 or -errno with @f: -EPERM (no CAP_BPF), -ENOTSUP. */
int loader_new(struct loader **l, const char *interface, struct fault *f);
void loader_free(struct loader *l); /* NULL is fine */

/* Directory of the pins, or NULL when unpinned. */
const char *loader_pinned(const struct loader *l);

/* Attaches the ingress program to the NIC. AUTO tries native, then generic; *@native says which it
 * became. Returns 0 or -errno with @f: -EBUSY (another program sits there: its id and name are in
 * the sentence), -EOPNOTSUPP, -EPERM. */
int loader_attach(struct loader *l, uint32_t ifindex, const char *nic, enum loader_mode mode,
		  bool *native, struct fault *f);
void loader_detach(struct loader *l, uint32_t ifindex);

/* Is our program still attached there (it may have been torn off by force)? */
bool loader_attached(const struct loader *l, uint32_t ifindex);

/* xsks: frames of @queue go to socket @fd. The kernel removes the entry when the socket closes. */
int loader_set_socket(struct loader *l, uint32_t ifindex, uint32_t queue, int fd);

/* listen: makes the map equal to the @n keys. */
int loader_set_listen(struct loader *l, const struct listen_key *keys, unsigned n);

/* Does the host forward? Then what is ours but unknown passes to the stack, counted. */
void loader_set_forwarding(struct loader *l, bool ipv4, bool ipv6);

int loader_session_set(struct loader *l, uint32_t index, const struct session_value *v);
void loader_session_del(struct loader *l, uint32_t index);

/* Creates or updates the slot's element in peers, and creates the one in peer_stats. -ENOSPC: full,
 * with nothing changed. */
int loader_peer_set(struct loader *l, uint32_t slot, const struct peer_value *v);
void loader_peer_del(struct loader *l, uint32_t slot);

/* Sums over CPUs. */
int loader_peer_stats(const struct loader *l, uint32_t slot, struct peer_stats_value *sum);
int loader_drops(const struct loader *l, struct drops_value sums[static REASON_COUNT]);
/* Packets that XDP saw as ours but passed to the stack since no socket took them, and the like. */

#endif
