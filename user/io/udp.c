/* SPDX-License-Identifier: MIT */
/*
 * udp.c - the listen port's UDP sockets as a transport.
 *
 *   IPv4 socket ──┐ epoll  recvmmsg ──▶ slots ──▶ split into datagrams ─▶ worker ─▶ sweep()
 *   IPv6 socket ──┘  fd
 *                 ◀─────── sendmmsg ◀── trains of equal frames ◀── worker ◀── alloc()
 *
 * A slot is the buffer of one received message. With UDP_GRO, it may hold up to 64 KiB of datagrams
 * of one sender. All have the same length, except that the last may be shorter. With UDP_SEGMENT,
 * up to 64 such datagrams to one destination are sent as one message. This file and udp_batch.c
 * call such a message a train.
 *
 * There is one socket per family, because one IPv6 socket for both would need mapped addresses in
 * every control message. In both directions the local address of a datagram is in its packet info
 * ("sticky source"). When sending, the packet info names the interface only for link-local
 * addresses, because a named interface overrides the routes.
 *
 * IP_RECVERR is off, because with it an ICMP error caused by one peer would make the next send to
 * another peer fail.
 *
 * Any thread may call the functions in the section "any thread", because they use only the
 * descriptors, which do not change after setup.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/udp_private.h"

#define SOCKET_BUFFER_BYTES (7 << 20) /* lasts 5.9 ms at 10 Gb/s while a worker waits for a CPU */
#define PORT_TRIES 16		      /* attempts to find a port that is free in both families */
#define NOBODY ((uid_t)-2)	      /* owner of our sockets: a uid that no account has */
#define TTL_FALLBACK 64		      /* if the kernel reports no default TTL; RFC 1700 */

/* ---- setup ---- */

static void deinit(struct transport *transport)
{
	struct udp *u = udp_self(transport);

	for (unsigned i = 0; i < UDP_FAMILIES; i++)
		if (u->fds[i] >= 0)
			close(u->fds[i]);
	if (transport->fd >= 0)
		close(transport->fd);
	if (u->area)
		munmap(u->area, UDP_AREA_BYTES);
	free(u);
}

static const struct transport_ops udp_ops = {
	.name = "udp",
	.deinit = deinit,
	.recv = udp_recv,
	.alloc = udp_alloc,
	.send = udp_send,
	.sweep = udp_sweep,
};

static int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) ? -errno : 0;
}

static void set_buffer(int fd, int force, int plain)
{
	if (set_int(fd, SOL_SOCKET, force, SOCKET_BUFFER_BYTES))
		set_int(fd, SOL_SOCKET, plain, SOCKET_BUFFER_BYTES);
}

/* Sets the options of a new socket. Routers may fragment the outer packets (DF = 0). The tunnel's
 * MTU normally prevents fragments, but a path whose MTU shrinks must not become a black hole. No
 * flow label is set, because AF_XDP sets none. Otherwise a router that balances by flow label would
 * send the packets of UDP and AF_XDP on different paths. */
static int set_options(int fd, int family, uint32_t fwmark)
{
	int err;

	set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
	set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
	if (family == AF_INET) {
		err = set_int(fd, IPPROTO_IP, IP_PKTINFO, 1) ?:
		      set_int(fd, IPPROTO_IP, IP_RECVTOS, 1) ?:
		      set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	} else {
		err = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) ?:
		      set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) ?:
		      set_int(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1) ?:
		      set_int(fd, IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 0) ?:
		      set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
	}
	if (!err && fwmark)
		err = set_int(fd, SOL_SOCKET, SO_MARK, (int)fwmark);
	return err;
}

/* Opens a socket of @family bound to *@port. If *@port is 0, the kernel chooses a port, which is
 * stored in *@port. Unless @shared (SO_REUSEPORT), fails if the port is in use. Returns the
 * descriptor or -errno. */
static int open_bound(int family, uint16_t *port, uint32_t fwmark, bool shared)
{
	union udp_address a = { 0 };
	socklen_t len = family == AF_INET ? sizeof(a.v4) : sizeof(a.v6);
	int err, fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	err = set_options(fd, family, fwmark);
	if (!err && shared)
		err = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (err)
		goto out_close;
	a.sa.sa_family = (sa_family_t)family;
	if (family == AF_INET)
		a.v4.sin_port = htons(*port);
	else
		a.v6.sin6_port = htons(*port);
	if (bind(fd, &a.sa, len) || getsockname(fd, &a.sa, &len)) {
		err = -errno;
		goto out_close;
	}
	*port = ntohs(family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
	return fd;

out_close:
	close(fd);
	return err;
}

/* Opens both sockets on one port. */
static int open_pair(struct udp *u, uint16_t *port, uint32_t fwmark)
{
	uint16_t chosen;
	int fd;

	for (int tries = *port ? 1 : PORT_TRIES; tries; tries--) {
		chosen = *port;
		fd = open_bound(AF_INET, &chosen, fwmark, false);
		if (fd < 0)
			return fd;
		u->fds[UDP_V4] = fd;
		fd = open_bound(AF_INET6, &chosen, fwmark, false);
		if (fd >= 0 || fd == -EAFNOSUPPORT) {
			u->fds[UDP_V6] = fd >= 0 ? fd : -1;
			*port = chosen;
			return 0;
		}
		close(u->fds[UDP_V4]);
		u->fds[UDP_V4] = -1;
		if (fd != -EADDRINUSE)
			return fd;
	}
	return -EADDRINUSE;
}

static int open_epoll(struct udp *u)
{
	struct epoll_event event = { .events = EPOLLIN };

	u->transport.fd = epoll_create1(EPOLL_CLOEXEC);
	if (u->transport.fd < 0)
		return -errno;
	for (unsigned i = 0; i < UDP_FAMILIES; i++)
		if (u->fds[i] >= 0 && epoll_ctl(u->transport.fd, EPOLL_CTL_ADD, u->fds[i], &event))
			return -errno;
	return 0;
}

static int allocate(struct udp **out)
{
	struct udp *u = calloc(1, sizeof(*u));
	void *area;

	if (!u)
		return -ENOMEM;
	area = mmap(NULL, UDP_AREA_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area == MAP_FAILED) {
		free(u);
		return -ENOMEM;
	}
	madvise(area, UDP_AREA_BYTES, MADV_DONTDUMP); /* datagrams are decrypted in place */
	u->area = area;
	u->transport.ops = &udp_ops;
	u->transport.fd = u->fds[UDP_V4] = u->fds[UDP_V6] = -1;
	u->rx_vlen[UDP_V4] = u->rx_vlen[UDP_V6] = UDP_RX_SLOTS;
	*out = u;
	return 0;
}

int udp_new(struct transport **transport, uint16_t *port, uint32_t fwmark, struct fault *f)
{
	struct udp *u;
	int err = allocate(&u);

	if (err)
		return fault(f, err, "UDP port %u: out of memory", *port);
	err = open_pair(u, port, fwmark) ?: open_epoll(u);
	if (!err) {
		*transport = &u->transport;
		return 0;
	}
	deinit(&u->transport);
	if (err == -EADDRINUSE)
		return fault(f, err,
			     "UDP port %u is in use; see `ss -lunp`, or choose another "
			     "ListenPort",
			     *port);
	if (err == -EPERM)
		return fault(f, err,
			     "not permitted to open UDP port %u with fwmark 0x%x; run as root or "
			     "with CAP_NET_ADMIN",
			     *port, fwmark);
	return fault(f, err, "UDP port %u: cannot open a socket: %s", *port, strerror(-err));
}

/* Opens a socket for each family in which @leader has a socket, with the same port and fwmark. */
static int open_members(struct udp *u, const struct udp *leader)
{
	for (unsigned i = 0; i < UDP_FAMILIES; i++) {
		uint32_t fwmark = 0;
		socklen_t len = sizeof(fwmark);
		union udp_address a = { 0 };
		socklen_t a_len = sizeof(a);
		uint16_t port;
		int fd, err;

		if (leader->fds[i] < 0)
			continue;
		err = set_int(leader->fds[i], SOL_SOCKET, SO_REUSEPORT, 1);
		if (err)
			return err;
		if (getsockopt(leader->fds[i], SOL_SOCKET, SO_MARK, &fwmark, &len) ||
		    getsockname(leader->fds[i], &a.sa, &a_len))
			return -errno;
		port = ntohs(i == UDP_V4 ? a.v4.sin_port : a.v6.sin6_port);
		fd = open_bound(i == UDP_V4 ? AF_INET : AF_INET6, &port, fwmark, true);
		if (fd < 0)
			return fd;
		u->fds[i] = fd;
	}
	return 0;
}

int udp_join(struct transport **transport, struct transport *leader, struct fault *f)
{
	struct udp *u;
	int err = allocate(&u);

	if (err)
		return fault(f, err, "cannot open the UDP socket of a worker: out of memory");
	err = open_members(u, udp_self(leader)) ?: open_epoll(u);
	if (!err) {
		*transport = &u->transport;
		return 0;
	}
	deinit(&u->transport);
	return fault(f, err, "cannot open the UDP socket of a worker: %s", strerror(-err));
}

int udp_disown(const struct transport *transport)
{
	const struct udp *u = udp_self(transport);

	for (unsigned i = 0; i < UDP_FAMILIES; i++)
		if (u->fds[i] >= 0 && fchown(u->fds[i], NOBODY, (gid_t)-1))
			return -errno;
	return 0;
}

int udp_steer(struct transport *leader, int prog_fd)
{
	const struct udp *u = udp_self(leader);
	int err = 0;

	for (unsigned i = 0; i < UDP_FAMILIES; i++)
		if (u->fds[i] >= 0)
			err = err
				      ?: set_int(u->fds[i], SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF,
						 prog_fd);
	return err;
}

void udp_set_offloads(struct transport *transport, bool gso, bool gro)
{
	struct udp *u = udp_self(transport);
	const int unused = 0;

	u->gso = gso;
	u->gro = gro;
	for (unsigned i = 0; i < UDP_FAMILIES; i++) {
		if (u->fds[i] < 0)
			continue;
		/* Setting UDP_SEGMENT to 0, its default, shows whether the kernel has the option
		 * (Linux 4.18). */
		u->gso &= !setsockopt(u->fds[i], IPPROTO_UDP, UDP_SEGMENT, &unused, sizeof(unused));
		u->gro &= !set_int(u->fds[i], IPPROTO_UDP, UDP_GRO, gro);
	}
}

/* ---- any thread ---- */

int udp_socket(const struct transport *transport, int family)
{
	return udp_self(transport)->fds[family == AF_INET ? UDP_V4 : UDP_V6];
}

int udp_set_fwmark(struct transport *transport, uint32_t fwmark)
{
	struct udp *u = udp_self(transport);
	int err = 0;

	for (unsigned i = 0; i < UDP_FAMILIES; i++)
		if (u->fds[i] >= 0)
			err = err ?: set_int(u->fds[i], SOL_SOCKET, SO_MARK, (int)fwmark);
	return err;
}

int udp_send_one(struct transport *transport, const struct endpoint *e, uint8_t tclass,
		 const void *msg, size_t len, bool *local_gone)
{
	struct udp *u = udp_self(transport);
	struct iovec iov = { (void *)msg, len };
	union udp_control control;
	struct msghdr m;
	int err, fd;

	if (e->remote.sa.sa_family != AF_INET && e->remote.sa.sa_family != AF_INET6)
		return -EDESTADDRREQ;
	fd = u->fds[e->remote.sa.sa_family == AF_INET ? UDP_V4 : UDP_V6];
	if (fd < 0)
		return -EAFNOSUPPORT;
	udp_address_msg(&m, e, tclass, &iov, &control);
	if (sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	err = udp_resend(fd, &m, -errno);
	if (!err)
		*local_gone = true;
	return err;
}

uint8_t udp_default_ttl(const struct transport *transport)
{
	int ttl = TTL_FALLBACK;
	socklen_t len = sizeof(ttl);

	(void)getsockopt(udp_self(transport)->fds[UDP_V4], IPPROTO_IP, IP_TTL, &ttl, &len);
	return (uint8_t)ttl;
}

uint64_t udp_socket_drops(const struct transport *transport)
{
	const struct udp *u = udp_self(transport);
	uint32_t info[SK_MEMINFO_VARS];
	uint64_t drops = 0;

	for (unsigned i = 0; i < UDP_FAMILIES; i++) {
		socklen_t len = sizeof(info);

		if (u->fds[i] >= 0 && !getsockopt(u->fds[i], SOL_SOCKET, SO_MEMINFO, info, &len) &&
		    len > SK_MEMINFO_DROPS * sizeof(info[0]))
			drops += info[SK_MEMINFO_DROPS];
	}
	return drops;
}
