/* SPDX-License-Identifier: MIT */
/*
 * udp_batch.c - the worker's side of the UDP transport: many datagrams per system call. udp.c has
 * the picture.
 */
#include <arpa/inet.h>
#include <errno.h>

#include "io/encap.h"
#include "io/udp_private.h"

/* ---- receiving ---- */

/* Reads the local address, the interface and the class of @msg from its control messages. */
static void read_control(struct msghdr *msg, struct rx_frame *frame, struct in6_addr *to)
{
	memset(to, 0, sizeof(*to));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			/* spec_dst is the destination, or for a broadcast the local address */
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
		}
	}
}

static void describe(struct udp *u, unsigned slot, struct mmsghdr *m, struct rx_frame *frame)
{
	const union udp_address *from = &u->from[slot];

	*frame = (struct rx_frame){
		.payload = m->msg_hdr.msg_iov->iov_base,
		.len = m->msg_len,
		.family = from->sa.sa_family,
		.destination = u->to[slot].s6_addr,
	};
	if (from->sa.sa_family == AF_INET) {
		frame->source = (const uint8_t *)&from->v4.sin_addr;
		frame->source_port = from->v4.sin_port;
	} else {
		frame->source = from->v6.sin6_addr.s6_addr;
		frame->source_port = from->v6.sin6_port;
	}
	read_control(&m->msg_hdr, frame, &u->to[slot]);
}

static unsigned recv_family(struct udp *u, int fd, struct rx_frame *frames, unsigned max)
{
	unsigned base = u->lent, n = 0, data = 0, oversized = 0;
	int got;

	for (unsigned i = 0; i < max; i++) {
		u->iovs[i].iov_base = u->area + (size_t)(base + i) * UDP_STRIDE;
		u->iovs[i].iov_len = UDP_ROOM;
		u->msgs[i].msg_hdr = (struct msghdr){
			.msg_name = &u->from[base + i],
			.msg_namelen = sizeof(u->from[0]),
			.msg_iov = &u->iovs[i],
			.msg_iovlen = 1,
			.msg_control = &u->controls[i],
			.msg_controllen = sizeof(u->controls[i]),
		};
	}
	got = recvmmsg(fd, u->msgs, max, MSG_DONTWAIT, NULL);
	for (int i = 0; i < got; i++) {
		if (u->msgs[i].msg_hdr.msg_flags & MSG_TRUNC) {
			oversized++; /* truncated, so it cannot be authentic */
			continue;
		}
		describe(u, base + (unsigned)i, &u->msgs[i], &frames[n]);
		data += transport_is_data(frames[n].payload, frames[n].len);
		n++;
	}
	if (got > 0)
		u->lent += (unsigned)got;
	transport_count(&u->transport.stats.rx_packets, data);
	transport_count(&u->transport.stats.rx_oversized, oversized);
	return n;
}

unsigned udp_recv(struct transport *o, struct rx_frame *frames, unsigned max)
{
	struct udp *u = udp_self(o);
	unsigned n = 0;

	u->turn = !u->turn; /* a flood in one family must not starve the other */
	for (unsigned i = 0; i < UDP_FAMILIES; i++) {
		int fd = u->fds[(u->turn + i) % UDP_FAMILIES];
		unsigned slots = FRAME_BATCH - u->lent;

		if (fd >= 0 && slots && n < max)
			n += recv_family(u, fd, frames + n, slots < max - n ? slots : max - n);
	}
	return n;
}

/* ---- sending ---- */

/* Writes the class as the first control message. Returns its length; class 0 is the socket's
 * default and needs none. */
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

/* Writes the packet info that makes @e's local address the source. Returns its length; 0 = no
 * source is set. */
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

	/* The kernel refuses a foreign source with EINVAL; IPv4 in 6.18 with ENETUNREACH. */
	if (m->msg_controllen == kept || (err != -EINVAL && err != -ENETUNREACH))
		return err;
	m->msg_controllen = kept;
	return sendmsg(fd, m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static unsigned count_data(const struct udp *u, unsigned from, unsigned n)
{
	unsigned data = 0;

	for (unsigned i = from; i < from + n; i++)
		data += transport_is_data(u->iovs[i].iov_base, (uint32_t)u->iovs[i].iov_len);
	return data;
}

/* Sends the first @n of u->msgs. A message that fails does not stop those after it, unless the
 * socket is full. Returns how many the kernel accepted. */
static unsigned flush(struct udp *u, int fd, unsigned n)
{
	unsigned done = 0, sent = 0, data = 0;

	while (done < n) {
		int r = sendmmsg(fd, u->msgs + done, n - done, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (r < 0) {
			if (errno == EAGAIN)
				break;
			if (udp_resend(fd, &u->msgs[done].msg_hdr, -errno)) {
				u->queued[done++]->len = 0;
				continue;
			}
			r = 1;
		}
		data += count_data(u, done, (unsigned)r);
		sent += (unsigned)r;
		done += (unsigned)r;
	}
	for (; done < n; done++)
		u->queued[done]->len = 0;
	transport_count(&u->transport.stats.tx_packets, data);
	return sent;
}

/* Sends those of @frames that go to @family, in batches of u->msgs. */
static unsigned send_family(struct udp *u, int family, struct tx_frame *frames, unsigned n)
{
	int fd = u->fds[family == AF_INET ? UDP_V4 : UDP_V6];
	unsigned queued = 0, sent = 0;

	for (unsigned i = 0; i < n; i++) {
		struct tx_frame *f = &frames[i];

		if (!f->len || !f->encap || f->encap->endpoint.remote.sa.sa_family != family)
			continue;
		if (fd < 0) {
			f->len = 0;
			continue;
		}
		u->queued[queued] = f;
		u->iovs[queued] = (struct iovec){ f->payload, f->len };
		udp_address_msg(&u->msgs[queued].msg_hdr, &f->encap->endpoint, f->tclass,
				&u->iovs[queued], &u->controls[queued]);
		if (++queued == FRAME_BATCH) {
			sent += flush(u, fd, queued);
			queued = 0;
		}
	}
	if (queued)
		sent += flush(u, fd, queued);
	return sent;
}

unsigned udp_send(struct transport *o, struct tx_frame *frames, unsigned n)
{
	struct udp *u = udp_self(o);
	unsigned sent, meant = 0;

	for (unsigned i = 0; i < n; i++)
		meant += frames[i].len != 0;
	sent = send_family(u, AF_INET, frames, n) + send_family(u, AF_INET6, frames, n);
	for (unsigned i = 0; i < n; i++) {
		u->idle[u->idle_count++] = (uint16_t)frames[i].handle;
	}
	transport_count(&o->stats.tx_refused, meant - sent);
	return sent;
}

unsigned udp_alloc(struct transport *o, struct tx_frame *frames, unsigned n)
{
	struct udp *u = udp_self(o);

	if (n > u->idle_count)
		n = u->idle_count;
	for (unsigned i = 0; i < n; i++) {
		unsigned slot = u->idle[--u->idle_count];

		frames[i] = (struct tx_frame){
			.payload = u->area + (size_t)slot * UDP_STRIDE + FRAME_HEADROOM,
			.room = UDP_ROOM,
			.handle = slot,
		};
	}
	return n;
}

void udp_sweep(struct transport *o)
{
	udp_self(o)->lent = 0;
}
