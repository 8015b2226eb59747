/* SPDX-License-Identifier: MIT */
/*
 * udp.h - the UDP sockets of the listen port: an IPv4 and an IPv6 one behind one transport.
 * They carry handshakes and keepalives always, data when XDP does not.
 */
#ifndef WGXDP_UDP_H
#define WGXDP_UDP_H

#include "io/transport.h"
#include "util/fault.h"

/* Opens both sockets on *@port (host order). With port 0 the kernel chooses a port that is free in
 * both families, and *@port is set to it. A host without IPv6 gets only the IPv4 socket. o->fd is
 * an epoll fd over both. Returns 0, or -errno with @f filled, -EADDRINUSE if the port is in use. */
int udp_new(struct transport **o, uint16_t *port, uint32_t fwmark, struct fault *f);

/* Opens further sockets on the port of @leader, which becomes the first of a SO_REUSEPORT group:
 * each datagram reaches one member. The leader was bound without that option, so that a port of
 * another program is refused. The fwmark is copied from the leader. 0, or -errno with @f filled. */
int udp_join(struct transport **o, struct transport *leader, struct fault *f);

/* Changes the owner of both sockets to a UID that no process has. SO_REUSEPORT shares a port only
 * among sockets of one UID, so no other program can bind it then. Needs CAP_CHOWN. 0 or -errno. */
int udp_disown(const struct transport *o);

/* Attaches the BPF program @prog_fd that selects the member of the group. 0 or -errno. */
int udp_steer(struct transport *leader, int prog_fd);

/* Lets the worker's operations use UDP_SEGMENT (@gso) and UDP_GRO (@gro) where the kernel has them.
 * Initially both are off. Not while a worker uses the transport. */
void udp_set_offloads(struct transport *o, bool gso, bool gro);

/* The socket of @family (AF_INET, AF_INET6), or -1. */
int udp_socket(const struct transport *o, int family);

/* Sets SO_MARK on both sockets. Any thread. */
int udp_set_fwmark(struct transport *o, uint32_t fwmark);

/* Sends one message to @e with @tclass (DSCP and ECN) in its IP header: the control thread's
 * handshakes and keepalives. The source is e->local if set. If that is no longer a local address,
 * the message is sent without it and *@local_gone is set; otherwise *@local_gone is untouched. 0
 * or -errno. Any thread. */
int udp_send_one(struct transport *o, const struct endpoint *e, uint8_t tclass, const void *msg,
		 size_t len, bool *local_gone);

/* Returns the TTL of IPv4 packets whose route sets none: net.ipv4.ip_default_ttl. Any thread. */
uint8_t udp_default_ttl(const struct transport *o);

/* Returns how many datagrams the kernel dropped at the sockets (SO_MEMINFO). Any thread. */
uint64_t udp_socket_drops(const struct transport *o);

#endif
