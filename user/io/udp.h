/* SPDX-License-Identifier: MIT */
/*
 * udp.h - the UDP sockets of the listen port: an IPv4 and an IPv6 one behind one transport.
 * They carry handshakes and keepalives always, data when XDP does not.
 */
#ifndef WGXDP_UDP_H
#define WGXDP_UDP_H

#include "io/transport.h"
#include "util/fault.h"

/* Opens both sockets on @port (host order; 0 = the kernel chooses, the same for both, told in
 * *@port). A host without IPv6 gets the IPv4 one only. o->fd is an epoll fd over both.
 * Returns 0, or -errno with @f filled: -EADDRINUSE with the port in the sentence. */
int udp_new(struct transport **o, uint16_t *port, uint32_t fwmark, struct fault *f);

/* Opens sockets of their own on the port of @leader, which becomes the first of a group
 * (SO_REUSEPORT): each datagram reaches one member. The leader itself was bound without, so that a
 * port which somebody else has is still refused. The mark is the leader's. 0/-errno with @f. */
int udp_join(struct transport **o, struct transport *leader, struct fault *f);

/* Lets the BPF program @prog_fd choose the member; @leader must have been joined. 0/-errno. */
int udp_steer(struct transport *leader, int prog_fd);

/* The socket of @family (AF_INET, AF_INET6), or -1. */
int udp_socket(const struct transport *o, int family);

/* SO_MARK on both. Any thread. */
int udp_set_fwmark(struct transport *o, uint32_t fwmark);

/* Sends one message from the address e->local, if it is set and still ours, with @tclass (DSCP and
 * ECN) in its IP header. Any thread: handshakes and keepalives of the control thread. Returns
 * 0/-errno; when the kernel does not know the local address any more it is sent without it and
 * *@local_gone set (else left alone). */
int udp_send_one(struct transport *o, const struct endpoint *e, uint8_t tclass, const void *msg,
		 size_t len, bool *local_gone);

/* The TTL of its IPv4 packets where their route says nothing: net.ipv4.ip_default_ttl. Any thread. */
uint8_t udp_default_ttl(const struct transport *o);

/* Datagrams that the kernel dropped at the sockets (SO_MEMINFO), for path_stats. Any thread. */
uint64_t udp_socket_drops(const struct transport *o);

#endif
