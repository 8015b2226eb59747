/* SPDX-License-Identifier: MIT */
/*
 * udp.h - the UDP sockets of the listen port: an IPv4 socket and an IPv6 socket behind one
 * transport. They carry all handshakes, all keepalives that we send, and the data and received
 * keepalives that AF_XDP does not carry.
 */
#ifndef WGXDP_UDP_H
#define WGXDP_UDP_H

#include "io/transport.h"
#include "util/fault.h"

/* Opens both sockets on *@port (host order). With port 0 the kernel chooses a port that is free in
 * both families and that is stored in *@port. A host without IPv6 gets only the IPv4 socket. The fd
 * of the transport is an epoll fd over both sockets. Returns 0, or -errno with @f filled in;
 * -EADDRINUSE if the port is in use. */
int udp_new(struct transport **transport, uint16_t *port, uint32_t fwmark, struct fault *f);

/* Opens further sockets on the port of @leader. Together with the sockets of @leader, they form
 * SO_REUSEPORT groups: each datagram reaches one socket of the group. @leader was bound without
 * SO_REUSEPORT, because bind() must fail if another program has the port. The fwmark is copied from
 * @leader. Returns 0, or -errno with @f filled in. */
int udp_join(struct transport **transport, struct transport *leader, struct fault *f);

/* Changes the owner of both sockets to a UID that no process has. SO_REUSEPORT shares a port only
 * among sockets of one UID, so other programs can then no longer bind the port. Needs CAP_CHOWN.
 * Returns 0 or -errno. */
int udp_disown(const struct transport *transport);

/* Attaches the BPF program @prog_fd to the SO_REUSEPORT group of @leader. The program selects the
 * socket that receives a datagram. Returns 0 or -errno. */
int udp_steer(struct transport *leader, int prog_fd);

/* Turns UDP_SEGMENT (@gso) and UDP_GRO (@gro) on or off, as far as the kernel supports them. Both
 * are off at first. Do not call this while a worker uses the transport. */
void udp_set_offloads(struct transport *transport, bool gso, bool gro);

/* Returns the socket of @family (AF_INET, AF_INET6), or -1. Any thread may call this. */
int udp_socket(const struct transport *transport, int family);

/* Sets SO_MARK on both sockets. Returns 0 or -errno. Any thread may call this. */
int udp_set_fwmark(struct transport *transport, uint32_t fwmark);

/* Sends one message to @e with @tclass (DSCP and ECN) in the IP header. Used for handshakes and for
 * the keepalives that the control thread sends. The source is e->local if set. If e->local is no
 * longer an address of this host, the message is sent from an address that the route chooses, and
 * *@local_gone is set to true; otherwise *@local_gone is untouched. Returns 0 or -errno. Any thread
 * may call this. */
int udp_send_one(struct transport *transport, const struct endpoint *e, uint8_t tclass,
		 const void *msg, size_t len, bool *local_gone);

/* Returns the TTL of IPv4 packets whose route sets none: net.ipv4.ip_default_ttl. Any thread may
 * call this. */
uint8_t udp_default_ttl(const struct transport *transport);

/* Returns how many datagrams the kernel dropped at the sockets (SO_MEMINFO). Any thread may call
 * this. */
uint64_t udp_socket_drops(const struct transport *transport);

#endif
