/* SPDX-License-Identifier: MIT */
/*
 * udp_batch.c - the worker's side of the UDP transport: many datagrams per system call. udp.c has a
 * diagram.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>

#include "io/encap.h"
#include "io/udp_private.h"

/* adapt_vlen() never limits a call of recvmmsg() to fewer slots than this. */
#define UDP_RX_SLOTS_MIN 4

/* ---- receiving ---- */

/* Reads the local address, the interface and the class of @msg from its control messages. */
static void read_control(struct msghdr *msg, struct udp_rx *rx)
{
	struct rx_frame *frame = &rx->frame;
	struct in6_addr *to = &rx->to;

	memset(to, 0, sizeof(*to));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			/* ipi_spec_dst is the destination; for a broadcast, our address */
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			memcpy(to, &info.ipi_spec_dst, sizeof(info.ipi_spec_dst));
			frame->ifindex = (uint32_t)info.ipi_ifindex;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			if (!IN6_IS_ADDR_MULTICAST(&info.ipi6_addr))
				*to = info.ipi6_addr;
			frame->ifindex = info.ipi6_ifindex;
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
			frame->tclass =
				*CMSG_DATA(c); /* received as a byte, though sent as an int */
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
			int tclass;

			memcpy(&tclass, CMSG_DATA(c), sizeof(tclass));
			frame->tclass = (uint8_t)tclass;
		} else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
			int size;

			memcpy(&size, CMSG_DATA(c), sizeof(size));
			if (size > 0)
				rx->size = (uint32_t)size;
		}
	}
}

static void describe(struct udp_rx *rx, struct mmsghdr *m)
{
	rx->len = rx->size = m->msg_len;
	rx->frame = (struct rx_frame){
		.payload = m->msg_hdr.msg_iov->iov_base,
		.family = rx->from.sa.sa_family,
		.destination = rx->to.s6_addr,
	};
	if (rx->from.sa.sa_family == AF_INET) {
		rx->frame.source = (const uint8_t *)&rx->from.v4.sin_addr;
		rx->frame.source_port = rx->from.v4.sin_port;
	} else {
		rx->frame.source = rx->from.v6.sin6_addr.s6_addr;
		rx->frame.source_port = rx->from.v6.sin6_port;
	}
	read_control(&m->msg_hdr, rx);
}

/* Chooses how many slots the next recvmmsg() of @family offers. The last recvmmsg() filled @filled
 * slots, @joined of them with several datagrams (UDP_GRO). If most of the filled slots have several
 * datagrams, the next call offers only a few slots, so that all datagrams are still in the cache
 * when they are decrypted. Otherwise the next call offers twice as many slots as were filled. It
 * does not always offer all slots, because preparing a slot takes time even if it stays empty. */
static void adapt_vlen(struct udp *u, unsigned family, unsigned filled, unsigned joined)
{
	unsigned vlen = 2 * joined > filled ? UDP_RX_SLOTS_MIN : 2 * filled;

	if (vlen < UDP_RX_SLOTS_MIN)
		vlen = UDP_RX_SLOTS_MIN;
	u->rx_vlen[family] = vlen > UDP_RX_SLOTS ? UDP_RX_SLOTS : vlen;
}

/* Receives from the socket of @family into at most @max of the free slots. */
static void fill_slots(struct udp *u, unsigned family, unsigned max)
{
	unsigned base = u->filled, oversized = 0, joined = 0, vlen = UDP_RX_SLOTS - base;
	int got;

	vlen = vlen > u->rx_vlen[family] ? u->rx_vlen[family] : vlen;
	vlen = vlen > max ? max : vlen;
	if (!vlen)
		return;
	for (unsigned i = 0; i < vlen; i++) {
		u->iovs[i].iov_base = u->area + (size_t)(base + i) * UDP_RX_STRIDE;
		u->iovs[i].iov_len = UDP_ROOM;
		u->msgs[i].msg_hdr = (struct msghdr){
			.msg_name = &u->rx[base + i].from,
			.msg_namelen = sizeof(u->rx[0].from),
			.msg_iov = &u->iovs[i],
			.msg_iovlen = 1,
			.msg_control = &u->controls[i],
			.msg_controllen = sizeof(u->controls[i]),
		};
	}
	got = recvmmsg(u->fds[family], u->msgs, vlen, MSG_DONTWAIT, NULL);
	u->quiet[family] = got <= 0;
	for (int i = 0; i < got; i++) {
		struct udp_rx *rx = &u->rx[u->filled++];

		describe(rx, &u->msgs[i]);
		joined += rx->size < rx->len;
		if (u->msgs[i].msg_hdr.msg_flags & MSG_TRUNC) {
			oversized++; /* a truncated message cannot be authentic */
			rx->len = 0;
			rx->size = UINT32_MAX;
		}
	}
	if (got > 0)
		adapt_vlen(u, family, (unsigned)got, joined);
	transport_count(&u->transport.stats.rx_oversized, oversized);
}

/* Fills @frames with up to @max of the datagrams in the slots. Returns how many it filled. */
static unsigned take_datagrams(struct udp *u, struct rx_frame *frames, unsigned max)
{
	unsigned n = 0, data = 0;

	while (u->at < u->filled && n < max) {
		const struct udp_rx *rx = &u->rx[u->at];
		uint32_t left = rx->len - u->offset;

		if (rx->size != UINT32_MAX) {
			frames[n] = rx->frame;
			frames[n].payload += u->offset;
			frames[n].len = left < rx->size ? left : rx->size;
			u->offset += frames[n].len;
			data += transport_is_data(frames[n].payload, frames[n].len);
			n++;
		}
		if (u->offset == rx->len) {
			u->at++;
			u->offset = 0;
		}
	}
	transport_count(&u->transport.stats.rx_packets, data);
	return n;
}

/* Receives up to @max datagrams of @family. */
static unsigned read_family(struct udp *u, unsigned family, struct rx_frame *frames, unsigned max)
{
	if (u->fds[family] < 0 || !max)
		return 0;
	fill_slots(u, family, max);
	return take_datagrams(u, frames, max);
}

/* Most hosts have all their peers in one address family. So a family that had no datagram when it
 * was last read is read again only if the other family has none either, or in every
 * UDP_QUIET_EVERY-th call. If both families have datagrams, they take turns to be read first, so
 * that a flood in one family cannot starve the other. */
unsigned udp_recv(struct transport *transport, struct rx_frame *frames, unsigned max)
{
	struct udp *u = udp_self(transport);
	unsigned n = take_datagrams(u, frames, max);
	bool put_off[UDP_FAMILIES];

	if (n == max)
		return n;
	u->calls++;
	for (unsigned i = 0; i < UDP_FAMILIES; i++)
		put_off[i] = u->quiet[i] && u->calls % UDP_QUIET_EVERY;
	for (unsigned i = 0; i < UDP_FAMILIES; i++) {
		unsigned family = (u->calls + i) % UDP_FAMILIES;

		if (!put_off[family])
			n += read_family(u, family, frames + n, max - n);
	}
	for (unsigned i = 0; i < UDP_FAMILIES; i++)
		if (put_off[i] && !n)
			n = read_family(u, i, frames, max);
	return n;
}

/* ---- sending ---- */

/* Writes the traffic class as the first control message. Returns the length of that message; 0 for
 * class 0, which is the socket's default and needs no message. */
static size_t write_tclass(int family, int tclass, struct cmsghdr *c)
{
	if (!tclass)
		return 0;
	*c = family == AF_INET
		     ? (struct cmsghdr){ CMSG_LEN(sizeof(tclass)), IPPROTO_IP, IP_TOS }
		     : (struct cmsghdr){ CMSG_LEN(sizeof(tclass)), IPPROTO_IPV6, IPV6_TCLASS };
	memcpy(CMSG_DATA(c), &tclass, sizeof(tclass));
	return CMSG_SPACE(sizeof(tclass));
}

/* Writes the packet info that makes @e's local address the source. Returns the length of the packet
 * info; 0 if @e has no local address. */
static size_t write_pktinfo(const struct endpoint *e, struct cmsghdr *c)
{
	if (e->remote.sa.sa_family == AF_INET) {
		const struct in_pktinfo info = { .ipi_spec_dst = e->local.v4 };

		if (!e->local.v4.s_addr)
			return 0;
		*c = (struct cmsghdr){ CMSG_LEN(sizeof(info)), IPPROTO_IP, IP_PKTINFO };
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		return CMSG_SPACE(sizeof(info));
	} else {
		struct in6_pktinfo info = { .ipi6_addr = e->local.v6 };

		if (IN6_IS_ADDR_UNSPECIFIED(&e->local.v6))
			return 0;
		if (IN6_IS_ADDR_LINKLOCAL(&e->local.v6))
			info.ipi6_ifindex = e->ifindex;
		*c = (struct cmsghdr){ CMSG_LEN(sizeof(info)), IPPROTO_IPV6, IPV6_PKTINFO };
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		return CMSG_SPACE(sizeof(info));
	}
}

void udp_address_msg(struct msghdr *m, const struct endpoint *e, uint8_t tclass, struct iovec *iov,
		     union udp_control *control)
{
	size_t len;

	memset(control, 0, sizeof(*control));
	len = write_tclass(e->remote.sa.sa_family, tclass, &control->align);
	len += write_pktinfo(e, (struct cmsghdr *)(control->bytes + len));
	*m = (struct msghdr){
		.msg_name = (void *)&e->remote,
		.msg_namelen = e->remote.sa.sa_family == AF_INET ? sizeof(e->remote.v4)
								 : sizeof(e->remote.v6),
		.msg_iov = iov,
		.msg_iovlen = 1,
		.msg_control = len ? control : NULL,
		.msg_controllen = len,
	};
}

int udp_resend(int fd, struct msghdr *m, int err)
{
	const struct cmsghdr *first = CMSG_FIRSTHDR(m);
	bool has_class =
		first && first->cmsg_type != IP_PKTINFO && first->cmsg_type != IPV6_PKTINFO;
	size_t kept = has_class ? CMSG_SPACE(sizeof(int)) : 0;

	/* The kernel returns EINVAL for a source that is not local; for IPv4, Linux 6.18 returns
	 * ENETUNREACH. */
	if (m->msg_controllen == kept || (err != -EINVAL && err != -ENETUNREACH))
		return err;
	m->msg_controllen = kept;
	return sendmsg(fd, m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Adds the segment size to the control messages of @m; @control has room for it. */
static void add_segment_size(struct msghdr *m, uint16_t size, union udp_control *control)
{
	struct cmsghdr *c = (struct cmsghdr *)(control->bytes + m->msg_controllen);

	*c = (struct cmsghdr){ CMSG_LEN(sizeof(size)), IPPROTO_UDP, UDP_SEGMENT };
	memcpy(CMSG_DATA(c), &size, sizeof(size));
	m->msg_control = control;
	m->msg_controllen += CMSG_SPACE(sizeof(size));
}

/* Sends one frame as one message. Sets *@plain to whether the kernel accepted the frame without
 * udp_resend(). Returns 0 or -errno. */
static int send_frame(int fd, const struct tx_frame *f, bool *plain)
{
	struct iovec iov = { f->payload, f->len };
	union udp_control control;
	struct msghdr m;

	udp_address_msg(&m, &f->encap->endpoint, f->tclass, &iov, &control);
	*plain = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
	return *plain ? 0 : udp_resend(fd, &m, -errno);
}

/* Returns true if @error may mean that the kernel does not segment on this path. Other errors have
 * other causes, such as a firewall's limit (EPERM) or a lack of memory (ENOBUFS), even if the
 * kernel then accepts the same frames singly. */
static bool refuses_segments(int error)
{
	return error == EINVAL || error == EMSGSIZE || error == EIO || error == EOPNOTSUPP;
}

/* Sends the frames of message @k singly, because the kernel refused the message with @error. If the
 * message had several frames (UDP_SEGMENT) and the kernel seems to have refused segmentation, sets
 * the gso_error of the frames. Returns how many frames the kernel accepted. */
static unsigned send_singly(struct udp *u, int fd, unsigned k, int error)
{
	unsigned sent = 0, count = u->first[k + 1] - u->first[k];

	for (unsigned i = u->first[k]; i < u->first[k + 1]; i++) {
		struct tx_frame *f = u->queued[i];
		bool plain;

		if (send_frame(fd, f, &plain)) {
			f->len = 0;
			continue;
		}
		if (plain && count > 1 && refuses_segments(error))
			f->gso_error = error;
		sent++;
	}
	return sent;
}

/* Sends the first @n of u->msgs. If the kernel refuses a message, sends its frames singly and goes
 * on with the next message. If the send buffer is full, gives up the remaining messages. Returns
 * how many frames the kernel accepted. */
static unsigned flush(struct udp *u, int fd, unsigned n)
{
	unsigned done = 0, sent = 0;

	while (done < n) {
		int r = sendmmsg(fd, u->msgs + done, n - done, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (r > 0) {
			sent += u->first[done + (unsigned)r] - u->first[done];
			done += (unsigned)r;
			continue;
		}
		if (errno == EAGAIN) {
			u->was_full = true;
			break;
		}
		sent += send_singly(u, fd, done++, errno);
	}
	for (unsigned i = u->first[done]; i < u->first[n]; i++)
		u->queued[i]->len = 0;
	return sent;
}

/* Returns true if @f may follow @first in one UDP_SEGMENT message. */
static bool same_train(const struct tx_frame *first, const struct tx_frame *f)
{
	return f->encap == first->encap && f->tclass == first->tclass && !f->no_gso &&
	       f->len <= first->len;
}

/* Returns true if @f may be sent in a UDP_SEGMENT message. The kernel refuses segments that need
 * fragmentation. */
static bool may_segment(const struct udp *u, const struct tx_frame *f)
{
	const struct encap *e = f->encap;

	return u->gso && !f->no_gso && (!e->mtu || f->len + encap_overhead(e) <= e->mtu);
}

static bool to_family(const struct tx_frame *f, int family)
{
	return f->len && f->encap && f->encap->endpoint.remote.sa.sa_family == family;
}

/* Adds @f to the message @m, and to queued[]. If @f directly follows the last iovec of @m in
 * memory, extends this iovec; otherwise adds an iovec. */
static void append(struct udp *u, struct msghdr *m, unsigned *queued, struct tx_frame *f)
{
	struct iovec *last = m->msg_iovlen ? &m->msg_iov[m->msg_iovlen - 1] : NULL;

	u->queued[(*queued)++] = f;
	if (last && (uint8_t *)last->iov_base + last->iov_len == f->payload)
		last->iov_len += f->len;
	else
		m->msg_iov[m->msg_iovlen++] = (struct iovec){ f->payload, f->len };
}

/* Builds message @k from @frames[@at] and those of the following frames that can be sent in the
 * same UDP_SEGMENT message (a train). Skips frames to other destinations, which later messages
 * take. Keeps the order of the frames to one destination. */
static void build_train(struct udp *u, unsigned k, unsigned *queued, struct tx_frame *frames,
			unsigned n, unsigned at, bool *taken)
{
	struct tx_frame *first = &frames[at];
	struct msghdr *m = &u->msgs[k].msg_hdr;
	uint32_t bytes = first->len;
	unsigned count = 1;

	udp_address_msg(m, &first->encap->endpoint, first->tclass, &u->iovs[*queued],
			&u->controls[k]);
	m->msg_iovlen = 0;
	append(u, m, queued, first);
	taken[at] = true;
	if (!may_segment(u, first))
		return;
	for (unsigned i = at + 1; i < n && i < at + 2 * UDP_TRAIN_MAX; i++) {
		struct tx_frame *f = &frames[i];

		if (taken[i] || !f->len || !f->encap || f->encap != first->encap)
			continue;
		if (!same_train(first, f) || bytes + f->len > UDP_TRAIN_BYTES ||
		    count == UDP_TRAIN_MAX)
			break;
		append(u, m, queued, f);
		taken[i] = true;
		bytes += f->len;
		count++;
		if (f->len < first->len)
			break;
	}
	if (count > 1)
		add_segment_size(m, (uint16_t)first->len, &u->controls[k]);
}

/* Sends those of the @n @frames that go to an address of @family. @n is at most FRAME_BATCH. */
static unsigned send_family(struct udp *u, int family, struct tx_frame *frames, unsigned n)
{
	int fd = u->fds[family == AF_INET ? UDP_V4 : UDP_V6];
	bool taken[FRAME_BATCH] = { false };
	unsigned messages = 0, queued = 0;

	for (unsigned i = 0; i < n; i++) {
		if (taken[i] || !to_family(&frames[i], family))
			continue;
		if (fd < 0) {
			frames[i].len = 0;
			continue;
		}
		u->first[messages] = (uint16_t)queued;
		build_train(u, messages++, &queued, frames, n, i, taken);
	}
	u->first[messages] = (uint16_t)queued;
	return messages ? flush(u, fd, messages) : 0;
}

unsigned udp_send(struct transport *transport, struct tx_frame *frames, unsigned n)
{
	struct udp *u = udp_self(transport);
	unsigned sent, wanted = 0, data = 0;

	for (unsigned i = 0; i < n; i++)
		wanted += frames[i].len != 0;
	sent = send_family(u, AF_INET, frames, n) + send_family(u, AF_INET6, frames, n);
	for (unsigned i = 0; i < n; i++)
		data += frames[i].len && transport_is_data(frames[i].payload, frames[i].len);
	u->tx_count -= n;
	if (!u->tx_count)
		u->tx_used = 0;
	transport_count(&transport->stats.tx_packets, data);
	transport_count(&transport->stats.tx_refused, wanted - sent);
	return sent;
}

unsigned udp_alloc(struct transport *transport, struct tx_frame *frames, unsigned n, uint32_t len)
{
	struct udp *u = udp_self(transport);
	unsigned i;

	for (i = 0; i < n && u->tx_used + len <= UDP_TX_BYTES && u->tx_count < FRAME_BATCH; i++) {
		frames[i] = (struct tx_frame){
			.payload = u->area + UDP_RX_BYTES + u->tx_used,
			.room = len,
		};
		u->tx_used += len;
		u->tx_count++;
	}
	return i;
}

/* Returns how full the send buffer of @fd is, in sixteenths. */
static unsigned fullness_of(int fd)
{
	int used, size;
	socklen_t len = sizeof(size);

	if (fd < 0 || ioctl(fd, SIOCOUTQ, &used) || used < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len) || size <= 0)
		return 0;
	return used < size ? (unsigned)((uint64_t)used * 16 / (uint64_t)size) : 16;
}

/* Measures how full the send buffers are. The system calls take 0.2 us, so udp_sweep() makes them
 * only after a buffer was full, and stops when both buffers are less than half full. */
static void measure_fullness(struct udp *u)
{
	unsigned v4 = fullness_of(u->fds[UDP_V4]), v6 = fullness_of(u->fds[UDP_V6]);

	u->transport.fullness = v4 > v6 ? v4 : v6;
	u->was_full = u->transport.fullness >= 8;
}

void udp_sweep(struct transport *transport)
{
	struct udp *u = udp_self(transport);

	if (u->was_full)
		measure_fullness(u);
	if (u->at == u->filled)
		u->at = u->filled = 0;
}
