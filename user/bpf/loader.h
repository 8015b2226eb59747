/* SPDX-License-Identifier: MIT */
/*
 * loader.h - the BPF side of an interface: load, pin, attach, fill, detach. Control thread.
 *
 *   loader_new ──▶ maps created and pinned in /sys/fs/bpf/wgxdp/<interface>/ (0700, root)
 *   loader_attach ─▶ XDP program on a NIC by bpf_link: dies with us, is never displaced by accident
 *   loader_attach_chained ─▶ the same in libxdp's dispatcher, beside programs of others
 *   loader_attach_nic_tc ─▶ the same checks behind GRO, for a NIC whose rx is udp
 *   loader_attach_tunnel ─▶ both TC programs on wg0
 *   loader_reuseport_prog ─▶ for the UDP sockets of the port
 *   loader_set_*, _session_*, _peer_*, _allowed_* ─▶ the maps, kept equal to peers and host
 *   loader_free ───▶ everything gone again
 *
 * loader_new() loads the XDP program; the others are loaded when first asked for, and say -ENOTSUP
 * where the kernel does not take them: the daemon goes on without that part, and says so.
 * TC attaches in the network namespace of the calling thread.
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

/* Attaches it so that other programs can share the NIC, by libxdp's dispatcher; what a killed owner
 * leaves there passes everything, and chainlink_clean() removes it. Returns as above, and -ENOTSUP:
 * the kernel or libxdp cannot, or the maps are not pinned, by which the program is known as ours. */
int loader_attach_chained(struct loader *l, uint32_t ifindex, const char *nic,
			  enum loader_mode mode, bool *native, struct fault *f);

/* Attaches the TC ingress program to the NIC instead: what loader_attach() would refuse is dropped,
 * all else goes to the stack. By tcx where the kernel has it (6.6), unless @force_clsact; *@tcx says
 * which. A clsact filter outlives a killed owner, but passes everything once the heartbeat of worker 0 is
 * stale; the next loader_new() of the same interface removes it. Returns 0 or -errno with @f:
 * -EALREADY, -EOPNOTSUPP (no Ethernet), -ENOTSUP, -EPERM, -ENODEV. */
int loader_attach_nic_tc(struct loader *l, uint32_t ifindex, const char *nic, bool force_clsact,
			 bool *tcx, struct fault *f);

/* Removes what any of the three attached. */
void loader_detach(struct loader *l, uint32_t ifindex);

/* Is our program still attached there (it may have been torn off by force)? */
bool loader_attached(const struct loader *l, uint32_t ifindex);

/* Attaches the programs of the tunnel interface, TC egress and ingress; from then on a packet that a
 * worker writes dies unless tun_writer[its queue] is right. Nothing to do if both are there. To be called
 * again after a move to another namespace, from a thread in it, which tcx survives and clsact does
 * not. Returns 0 or -errno with @f, as above; on failure neither is attached. */
int loader_attach_tunnel(struct loader *l, uint32_t ifindex, bool force_clsact, bool *tcx,
			 struct fault *f);
void loader_detach_tunnel(struct loader *l);

/* Are both of them still attached? */
bool loader_tunnel_attached(const struct loader *l);

/* The arrays that workers write: their elements for the life of @l, by worker. Relaxed stores do: a
 * TUN write reads tun_writer on the same CPU, and nobody else does. inject begins as SLOT_NONE. */
volatile uint64_t *loader_tun_writer(struct loader *l); /* [WORKERS_MAX] */
volatile uint64_t *loader_heartbeat(struct loader *l);	/* [WORKERS_MAX] */

/* The worker that serves the socket of a NIC's queue, whose heartbeat is looked at; until told it is 0.
 * -ENOENT: not attached there. -ERANGE. */
int loader_set_queue_worker(struct loader *l, uint32_t ifindex, uint32_t queue, unsigned worker);

/* The program for SO_ATTACH_REUSEPORT_EBPF, borrowed; -ENOTSUP, -EPERM. */
int loader_reuseport_prog(struct loader *l);

/* Which socket gets the handshakes (@member SOCKS_DAEMON) or a worker's data (SOCKS_WORKER(i)), of
 * @family (AF_INET, AF_INET6). @fd: of a bound member of the port's SO_REUSEPORT group, which exists
 * once a second socket has joined; -1 = none. The kernel removes the entry when the socket closes.
 * 0/-errno: -EINVAL (of no group), -EBUSY (it has a place already), -ERANGE. */
int loader_set_reuseport_socket(struct loader *l, unsigned member, int family, int fd);

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

/* allowed4, allowed6: gives @p, whose host bits are zero, to the peer in @slot, whoever had it.
 * -ENOSPC: full, with nothing changed; -EINVAL. */
int loader_allowed_set(struct loader *l, const struct prefix *p, uint32_t slot);
void loader_allowed_del(struct loader *l, const struct prefix *p);

/* The key of mac1 for handshakes that come to us, HASH(label-mac1 || our public key); NULL = we have
 * no key, and every mac1 passes to the daemon. */
int loader_set_mac1_key(struct loader *l, const uint8_t *key);

/* Creates or updates the slot's element in peers, and creates those in peer_stats and peer_auth.
 * -ENOSPC: full, with nothing changed. */
int loader_peer_set(struct loader *l, uint32_t slot, const struct peer_value *v);
void loader_peer_del(struct loader *l, uint32_t slot);

/* peer_auth: what of the peer authenticated so far. -ENOENT: no such slot. */
int loader_peer_auth_set(struct loader *l, uint32_t slot, const struct peer_stats_value *v);

/* Sums over CPUs; -ENOENT: no such slot. */
int loader_peer_stats(const struct loader *l, uint32_t slot, struct peer_stats_value *sum);
int loader_drops(const struct loader *l, struct drops_value sums[static REASON_COUNT]);
int loader_passes(const struct loader *l, struct drops_value sums[static REASON_COUNT]);

/* events: readable when there are samples; borrowed. */
int loader_events_fd(const struct loader *l);
/* Hands all that wait to @cb, which may be NULL: discards them. Returns how many, or -errno. */
int loader_events_read(struct loader *l, void (*cb)(void *ctx, const struct event *e), void *ctx);

#endif
