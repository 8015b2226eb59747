/* SPDX-License-Identifier: MIT */
/*
 * loader.h - loads, pins, attaches, fills and detaches the BPF programs and maps of one interface.
 * Only the control thread may call these functions.
 *
 *   loader_new ──▶ creates the maps and pins them in /sys/fs/bpf/wgxdp/<interface>/ (0700, root)
 *   loader_attach ─▶ XDP on a NIC by bpf_link, which dies with the daemon and cannot be replaced
 *   loader_attach_chained ─▶ XDP in libxdp's dispatcher, together with other programs
 *   loader_attach_nic_tc ─▶ TC on a NIC without XDP: the same checks as XDP, but after GRO
 *   loader_attach_tunnel ─▶ both TC programs on the tunnel interface
 *   loader_reuseport_prog ─▶ the program that chooses a UDP socket of our port for a datagram
 * loader_set_*, _session_*, _peer_*, _allowed_* ─▶ update the maps when a peer or the host changes
 *   loader_free ───▶ detaches everything and removes the pins
 *
 * loader_new() loads the programs for NICs. The other programs are loaded when they are first
 * needed. If the kernel refuses a program, the result is -ENOTSUP, and the daemon goes on without
 * that program. TC programs are attached in the network namespace of the calling thread.
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

/* Loads the programs for @interface and pins the maps. Also removes the pins and filters that a
 * dead daemon of @interface left. The caller must hold the lock on the name @interface
 * (daemon/name_lock.h). If the maps cannot be pinned, they stay unpinned (loader_unpinned_why()).
 * Returns 0, or -errno with @f filled in: -EPERM (no CAP_BPF), -ENOTSUP, -ENOMEM, -EMFILE or
 * -ENFILE (limit of open files). */
int loader_new(struct loader **l, const char *interface, struct fault *f);
void loader_free(struct loader *l); /* does nothing if l is NULL */

/* loader_pinned() returns the directory of the pins, or NULL if the maps are not pinned.
 * loader_unpinned_why() returns the reason why they are not pinned, or NULL if they are. */
const char *loader_pinned(const struct loader *l);
const char *loader_unpinned_why(const struct loader *l);

/* Attaches the XDP program to the NIC. LOADER_MODE_AUTO tries native mode, then generic mode;
 * *@native is set to true for native mode. Returns 0, or -errno with @f filled in: -EBUSY (another
 * program is attached; @f names it), -EALREADY (our program is attached), -ENOSPC (NICS_MAX NICs
 * are attached), -EOPNOTSUPP, -EPERM, -ENODEV, -EMFILE or -ENFILE. */
int loader_attach(struct loader *l, uint32_t ifindex, const char *nic, enum loader_mode mode,
		  bool *native, struct fault *f);

/* Returns true if the NIC's driver accepts the XDP program in native mode. To find out, attaches
 * the program and detaches it at once; with some drivers this takes the link down. While attached,
 * the program passes data to the stack, because the NIC has no AF_XDP sockets yet. A TC program of
 * loader_attach_nic_tc() stays attached. */
bool loader_is_accepted(const struct loader *l, uint32_t ifindex, const char *nic);

/* Attaches the XDP program to libxdp's dispatcher, so that other programs can share the NIC. If the
 * daemon is killed, the program passes all packets until chainlink_clean() removes it. The maps
 * must be pinned, because chainlink_clean() recognises the program by a pinned map. Returns 0, an
 * error of loader_attach(), or -ENOTSUP (the kernel or libxdp lacks support, or the maps are not
 * pinned). */
int loader_attach_chained(struct loader *l, uint32_t ifindex, const char *nic,
			  enum loader_mode mode, bool *native, struct fault *f);

/* Attaches the TC ingress program to the NIC instead of XDP. The TC program drops the packets that
 * the XDP program would drop, and passes all others to the stack. The program is attached by tcx if
 * the kernel has tcx (Linux 6.6) and @force_clsact is false, else by clsact; *@tcx is set to true
 * for tcx. A clsact filter outlives a killed daemon, but passes all packets while the heartbeat of
 * worker 0 is stale; the next loader_new() of the interface removes it. Returns 0, or -errno with
 * @f filled in: -EALREADY, -ENOSPC (NICS_MAX NICs are attached), -EOPNOTSUPP (not Ethernet),
 * -ENOTSUP, -EPERM, -ENODEV, -EMFILE or -ENFILE. */
int loader_attach_nic_tc(struct loader *l, uint32_t ifindex, const char *nic, bool force_clsact,
			 bool *tcx, struct fault *f);

/* Detaches the program that loader_attach(), loader_attach_chained() or loader_attach_nic_tc()
 * attached. */
void loader_detach(struct loader *l, uint32_t ifindex);

/* Returns true if our program is still attached; another program may have detached it by force. */
bool loader_attached(const struct loader *l, uint32_t ifindex);

/* Attaches the TC egress and ingress programs of the tunnel interface. From then on, before a
 * worker writes a packet, the worker's element of tun_writer must hold the slot of the peer that
 * sent the packet. The ingress program drops the packet if this peer does not own the packet's
 * source address. A program that is already attached stays attached. After the interface has moved
 * to another namespace, call this again from a thread in that namespace, because clsact filters do
 * not survive the move. Returns 0, or an error of loader_attach_nic_tc(); on failure neither
 * program is attached. */
int loader_attach_tunnel(struct loader *l, uint32_t ifindex, bool force_clsact, bool *tcx,
			 struct fault *f);
void loader_detach_tunnel(struct loader *l);

/* Returns true if both programs are still attached. */
bool loader_tunnel_attached(const struct loader *l);

/* Returns the approximate number of packets that RPS has queued between a worker's write and the TC
 * program. For these packets the program checks only that some peer owns the source address. */
uint64_t loader_tunnel_steered(const struct loader *l);

/* Return the arrays that workers write, with one element for each worker. They are valid until
 * loader_free(). Relaxed stores are enough: a worker's element of tun_writer is read only while
 * this worker writes to the tunnel, and a heartbeat may be read a moment late. Elements of
 * tun_writer are SLOT_NONE at first. */
volatile uint64_t *loader_tun_writer(struct loader *l); /* [WORKERS_MAX] */
volatile uint64_t *loader_heartbeat(struct loader *l);	/* [WORKERS_MAX] */

/* Returns the offset to add to CLOCK_BOOTTIME when a heartbeat is written. The offset is 0 except
 * in a time namespace (clock.h). */
int64_t loader_clock_ahead_ns(const struct loader *l);

/* Sets the worker that serves the AF_XDP socket of a NIC's queue; by default worker 0 does.
 * While this worker's heartbeat is stale, the program does not use the socket. Returns 0,
 * -ENOENT (the NIC is not attached) or -ERANGE. */
int loader_set_queue_worker(struct loader *l, uint32_t ifindex, uint32_t queue, unsigned worker);

/* Returns the fd of the program for SO_ATTACH_REUSEPORT_EBPF, or -ENOTSUP or -EPERM. The loader
 * owns the fd. */
int loader_reuseport_prog(struct loader *l);

/* Makes @fd the UDP socket of @family (AF_INET, AF_INET6) for @member: SOCKS_DAEMON gets the
 * handshakes, and SOCKS_WORKER(i) gets the data for worker i. @fd must be bound and belong to the
 * SO_REUSEPORT group of the port. The group exists only after a second socket has joined. If @fd is
 * -1, the entry is removed; the kernel also removes the entry when the socket is closed. Returns 0,
 * -EINVAL (not in a group), -EBUSY (the socket already has an entry) or -ERANGE. */
int loader_set_reuseport_socket(struct loader *l, unsigned member, int family, int fd);

/* Tells the programs the NIC's new MAC address. (loader_attach() reads the current address itself.)
 * Returns 0 or -ENOENT (the NIC is not attached). */
int loader_set_mac(struct loader *l, uint32_t ifindex, const uint8_t mac[static 6]);

/* Map xsks: steers the data of @queue to the AF_XDP socket @fd, or to the stack if @fd is -1. The
 * kernel removes the entry when the socket is closed. Returns 0, -ENOENT (the NIC is not attached)
 * or -ERANGE (@queue is NIC_QUEUES_MAX or higher; its data goes to the UDP socket). */
int loader_set_socket(struct loader *l, uint32_t ifindex, uint32_t queue, int fd);

/* Map listen: makes the map contain exactly the @n keys. A key that is in the map before and after
 * the call is never removed in between. Returns 0, -ENOMEM (keys may be missing) or -ENOSPC (more
 * than LISTEN_MAX; nothing has changed). */
int loader_set_listen(struct loader *l, const struct listen_key *keys, unsigned n);

/* Tells the programs whether the host forwards IPv4 and IPv6 packets. This decides what happens to
 * a packet that is addressed to us but fails a check. If the host forwards, the packet goes to the
 * stack and is counted in the map `passes`; otherwise it is dropped. With --strict the caller sets
 * both to false. */
void loader_set_forwarding(struct loader *l, bool ipv4, bool ipv6);

/* Adds or changes a session. Returns 0, -ENOSPC (the map is full) or -ENOMEM. */
int loader_session_set(struct loader *l, uint32_t index, const struct session_value *v);
void loader_session_del(struct loader *l, uint32_t index);

/* Maps allowed4 and allowed6: assigns @p, whose host bits must be zero, to the peer in @slot, even
 * if another peer had it. Returns 0, -ENOSPC (the map is full), -ENOMEM or -EINVAL. Nothing has
 * changed after an error. */
int loader_allowed_set(struct loader *l, const struct prefix *p, uint32_t slot);
void loader_allowed_del(struct loader *l, const struct prefix *p);

/* Sets the mac1 key for received handshakes, HASH(label-mac1 || our public key). If @key is NULL,
 * handshakes with any mac1 pass to the daemon. */
int loader_set_mac1_key(struct loader *l, const uint8_t *key);

/* Creates or updates the element of @slot in the map peers, and creates its elements in the maps
 * peer_stats and peer_auth if they are missing. Returns 0, -ENOSPC (a map is full; nothing changed)
 * or -ENOMEM (nothing changed). */
int loader_peer_set(struct loader *l, uint32_t slot, const struct peer_value *v);
void loader_peer_del(struct loader *l, uint32_t slot);

/* Map peer_auth: sets the counters of the peer's authenticated traffic. Returns 0 or -ENOENT (no
 * such slot). */
int loader_peer_auth_set(struct loader *l, uint32_t slot, const struct peer_stats_value *v);

/* Sum the counters of the map `drops` or `passes` over all CPUs. Return 0 or -errno. */
int loader_drops(const struct loader *l, struct drops_value sums[static REASON_COUNT]);
int loader_passes(const struct loader *l, struct drops_value sums[static REASON_COUNT]);

/* Map events: returns an fd that is readable while there are samples. The loader owns it. */
int loader_events_fd(const struct loader *l);
/* Calls @cb for each waiting sample; if @cb is NULL, discards the samples. Returns their number or
 * -errno. */
int loader_events_read(struct loader *l, void (*cb)(void *ctx, const struct event *e), void *ctx);

#endif
