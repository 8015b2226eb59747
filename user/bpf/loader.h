/* SPDX-License-Identifier: MIT */
/*
 * loader.h - loads, pins, attaches, fills and detaches the BPF programs and maps of one interface.
 * All functions are for the control thread.
 *
 *   loader_new ──▶ creates the maps and pins them in /sys/fs/bpf/wgxdp/<interface>/ (0700, root)
 *   loader_attach ─▶ XDP on a NIC by bpf_link, which dies with its owner and cannot be replaced
 *   loader_attach_chained ─▶ XDP in libxdp's dispatcher, beside programs of others
 *   loader_attach_nic_tc ─▶ the same checks behind GRO, for a NIC whose rx is udp
 *   loader_attach_tunnel ─▶ both TC programs on the tunnel interface
 *   loader_reuseport_prog ─▶ the program for the UDP sockets of the port
 *   loader_set_*, _session_*, _peer_*, _allowed_* ─▶ keep the maps equal to peers and host
 *   loader_free ───▶ detaches everything and removes the pins
 *
 * loader_new() loads the XDP program. The others are loaded when they are first needed. If the
 * kernel refuses one, the result is -ENOTSUP, and the daemon goes on without that part. TC programs
 * are attached in the network namespace of the calling thread.
 */
#ifndef WGXDP_LOADER_H
#define WGXDP_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#include "util/fault.h"
#include "wgxdp/maps.h"
#include "wgxdp/reasons.h"

struct loader;
struct prefix;

enum loader_mode { LOADER_MODE_AUTO, LOADER_MODE_NATIVE, LOADER_MODE_GENERIC };

/* Loads the programs for @interface and pins the maps. Pins and filters that a dead owner of the
 * same name left are removed first; the caller holds the name's lock. Where /sys/fs/bpf is no
 * bpffs, the maps stay unpinned (loader_pinned()). Returns 0 or -errno with @f: -EPERM (no
 * CAP_BPF), -ENOTSUP. */
int loader_new(struct loader **l, const char *interface, struct fault *f);
void loader_free(struct loader *l); /* NULL is fine */

/* Return the directory of the pins, or NULL if the maps are not pinned; and the reason why they are
 * not, or NULL if they are. */
const char *loader_pinned(const struct loader *l);
const char *loader_unpinned_why(const struct loader *l);

/* Attaches the XDP program to the NIC, to at most NICS_MAX of them. AUTO tries native, then
 * generic; *@native tells the result. Returns 0 or -errno with @f: -EBUSY (another program is
 * attached; @f names it), -EALREADY (ours is), -EOPNOTSUPP, -EPERM, -ENODEV. */
int loader_attach(struct loader *l, uint32_t ifindex, const char *nic, enum loader_mode mode,
		  bool *native, struct fault *f);

/* Attaches the XDP program by libxdp's dispatcher, so that other programs can share the NIC. The
 * program of a killed owner passes everything, and chainlink_clean() removes it. Returns an error
 * as above, or -ENOTSUP if kernel or libxdp lack support, or if the maps are not pinned, because
 * chainlink_clean() recognises the program by its pinned map. */
int loader_attach_chained(struct loader *l, uint32_t ifindex, const char *nic,
			  enum loader_mode mode, bool *native, struct fault *f);

/* Attaches the TC ingress program to the NIC instead of XDP. It drops what the XDP program would
 * drop, and everything else goes to the stack. It uses tcx where the kernel has it (6.6), unless
 * @force_clsact; *@tcx tells the result. A clsact filter outlives a killed owner, but passes
 * everything while the heartbeat of worker 0 is stale; the next loader_new() of the interface
 * removes it. Returns 0 or -errno with @f: -EALREADY, -EOPNOTSUPP (no Ethernet), -ENOTSUP, -EPERM,
 * -ENODEV. */
int loader_attach_nic_tc(struct loader *l, uint32_t ifindex, const char *nic, bool force_clsact,
			 bool *tcx, struct fault *f);

/* Detaches the program that one of the three functions above attached. */
void loader_detach(struct loader *l, uint32_t ifindex);

/* Whether our program is still attached; somebody may have detached it by force. */
bool loader_attached(const struct loader *l, uint32_t ifindex);

/* Attaches the TC egress and ingress programs of the tunnel interface. From then on a packet that a
 * worker writes is dropped unless tun_writer[its queue] is correct. Programs that are attached
 * already stay. After the interface has moved to another namespace, call this again from a thread
 * in that namespace, because clsact filters do not survive the move. Returns 0 or -errno with @f,
 * as above; on failure neither is attached. */
int loader_attach_tunnel(struct loader *l, uint32_t ifindex, bool force_clsact, bool *tcx,
			 struct fault *f);
void loader_detach_tunnel(struct loader *l);

/* Whether both are still attached. */
bool loader_tunnel_attached(const struct loader *l);

/* Returns about how many packets RPS has queued between a worker's write and the TC program. For
 * these the program checks only that the source belongs to some peer. */
uint64_t loader_tunnel_steered(const struct loader *l);

/* Return the arrays that workers write, one element a worker, valid for the life of @l. Relaxed
 * stores suffice, because only the worker's own TUN write reads its tun_writer. Elements of
 * tun_writer start as SLOT_NONE. */
volatile uint64_t *loader_tun_writer(struct loader *l); /* [WORKERS_MAX] */
volatile uint64_t *loader_heartbeat(struct loader *l);	/* [WORKERS_MAX] */

/* Returns what to add to CLOCK_BOOTTIME for a heartbeat. It is not 0 in a time namespace
 * (clock.h). */
int64_t loader_clock_ahead_ns(const struct loader *l);

/* Sets the worker that serves the AF_XDP socket of a NIC's queue, 0 by default. The program checks
 * this worker's heartbeat. Returns 0, -ENOENT (the NIC is not attached) or -ERANGE. */
int loader_set_queue_worker(struct loader *l, uint32_t ifindex, uint32_t queue, unsigned worker);

/* Returns the fd of the program for SO_ATTACH_REUSEPORT_EBPF, which the loader owns; or -ENOTSUP,
 * -EPERM. */
int loader_reuseport_prog(struct loader *l);

/* Sets the socket that gets the handshakes (@member SOCKS_DAEMON) or a worker's data
 * (SOCKS_WORKER(i)) of @family (AF_INET, AF_INET6). @fd must be bound and a member of the port's
 * SO_REUSEPORT group, which exists once a second socket has joined; -1 removes the entry. The
 * kernel removes the entry when the socket closes. Returns 0, -EINVAL (not in a group), -EBUSY (the
 * socket has an entry) or -ERANGE. */
int loader_set_reuseport_socket(struct loader *l, unsigned member, int family, int fd);

/* Tells the program the NIC's new MAC address. loader_attach() reads the current one itself.
 * Returns 0 or -ENOENT (the NIC is not attached). */
int loader_set_mac(struct loader *l, uint32_t ifindex, const uint8_t mac[static 6]);

/* xsks: steers the data of @queue to AF_XDP socket @fd, or to the stack if @fd is -1. The kernel
 * removes the entry when the socket closes. Returns 0, -ENOENT (the NIC is not attached) or -ERANGE
 * (@queue is not below NIC_QUEUES_MAX; its data goes to the UDP socket). */
int loader_set_socket(struct loader *l, uint32_t ifindex, uint32_t queue, int fd);

/* listen: makes the map equal to the @n keys. Keys that stay are never missing in between. Returns
 * 0 or -ENOSPC (more than LISTEN_MAX; nothing changed). */
int loader_set_listen(struct loader *l, const struct listen_key *keys, unsigned n);

/* Tells the programs whether the host forwards. If so, a packet that is addressed to us but fails a
 * check passes to the stack and is counted in passes. --strict sets both to false. */
void loader_set_forwarding(struct loader *l, bool ipv4, bool ipv6);

/* Returns 0 or -ENOSPC (the map is full). */
int loader_session_set(struct loader *l, uint32_t index, const struct session_value *v);
void loader_session_del(struct loader *l, uint32_t index);

/* allowed4, allowed6: assigns @p, whose host bits must be zero, to the peer in @slot and takes it
 * from any other peer. Returns 0, -ENOSPC (the map is full; nothing changed) or -EINVAL. */
int loader_allowed_set(struct loader *l, const struct prefix *p, uint32_t slot);
void loader_allowed_del(struct loader *l, const struct prefix *p);

/* Sets the key of mac1 for received handshakes, HASH(label-mac1 || our public key). Without a key
 * (NULL), handshakes pass to the daemon with any mac1. */
int loader_set_mac1_key(struct loader *l, const uint8_t *key);

/* Creates or updates the slot's element in peers, and creates its elements in peer_stats and
 * peer_auth. Returns 0 or -ENOSPC (a map is full; nothing changed). */
int loader_peer_set(struct loader *l, uint32_t slot, const struct peer_value *v);
void loader_peer_del(struct loader *l, uint32_t slot);

/* peer_auth: sets the peer's authenticated traffic so far. Returns 0 or -ENOENT (no such slot). */
int loader_peer_auth_set(struct loader *l, uint32_t slot, const struct peer_stats_value *v);

/* Sum a map over all CPUs. Return 0 or -errno. */
int loader_drops(const struct loader *l, struct drops_value sums[static REASON_COUNT]);
int loader_passes(const struct loader *l, struct drops_value sums[static REASON_COUNT]);

/* events: returns an fd that is readable while there are samples. The loader owns it. */
int loader_events_fd(const struct loader *l);
/* Passes all waiting samples to @cb; NULL discards them. Returns their number or -errno. */
int loader_events_read(struct loader *l, void (*cb)(void *ctx, const struct event *e), void *ctx);

#endif
