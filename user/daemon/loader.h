/* SPDX-License-Identifier: MIT */
/*
 * loader.h - the BPF side of an interface: load, pin, attach, fill, detach. Control thread.
 *
 *   loader_new ──▶ maps created and pinned in /sys/fs/bpf/wgxdp/<interface>/ (0700, root)
 *   loader_attach ─▶ XDP program on a NIC by bpf_link: dies with us, is never displaced by accident
 *   loader_set_*, _session_*, _peer_* ─▶ the maps, kept equal to the state of peers and host
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

/* Attaches the ingress program to the NIC, up to NICS_MAX of them. AUTO tries native, then generic;
 * *@native says which it became. Returns 0 or -errno with @f: -EBUSY (another program sits there:
 * its id and name are in the sentence), -EALREADY (ours does), -EOPNOTSUPP, -EPERM, -ENODEV. */
int loader_attach(struct loader *l, uint32_t ifindex, const char *nic, enum loader_mode mode,
		  bool *native, struct fault *f);
void loader_detach(struct loader *l, uint32_t ifindex);

/* Is our program still attached there (it may have been torn off by force)? */
bool loader_attached(const struct loader *l, uint32_t ifindex);

/* The NIC's MAC address changed: frames to @mac are ours now. loader_attach() takes the one it
 * finds. -ENOENT: not attached there. */
int loader_set_mac(struct loader *l, uint32_t ifindex, const uint8_t mac[static 6]);

/* xsks: frames of @queue go to socket @fd, from now on to the stack where @fd is -1. The kernel
 * removes the entry when the socket closes. -ENOENT: not attached there. -ERANGE: @queue is not
 * below NIC_QUEUES_MAX; its frames take the UDP socket. */
int loader_set_socket(struct loader *l, uint32_t ifindex, uint32_t queue, int fd);

/* listen: makes the map equal to the @n keys; what is in both stays in force throughout. -ENOSPC:
 * more than LISTEN_MAX, with nothing changed. */
int loader_set_listen(struct loader *l, const struct listen_key *keys, unsigned n);

/* Does the host forward? Then what is addressed to us but fails a check passes to the stack,
 * counted in passes. For --strict say false for both. */
void loader_set_forwarding(struct loader *l, bool ipv4, bool ipv6);

/* -ENOSPC: full. */
int loader_session_set(struct loader *l, uint32_t index, const struct session_value *v);
void loader_session_del(struct loader *l, uint32_t index);

/* Creates or updates the slot's element in peers, and creates the one in peer_stats. -ENOSPC: full,
 * with nothing changed. */
int loader_peer_set(struct loader *l, uint32_t slot, const struct peer_value *v);
void loader_peer_del(struct loader *l, uint32_t slot);

/* Sums over CPUs; -ENOENT: no such slot. */
int loader_peer_stats(const struct loader *l, uint32_t slot, struct peer_stats_value *sum);
int loader_drops(const struct loader *l, struct drops_value sums[static REASON_COUNT]);
int loader_passes(const struct loader *l, struct drops_value sums[static REASON_COUNT]);

#endif
