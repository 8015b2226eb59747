/* SPDX-License-Identifier: MIT */
/*
 * udp_private.h - what udp.c (sockets, setup, what any thread may call) and udp_batch.c (the
 * worker's operations) share.
 */
#ifndef WGXDP_UDP_PRIVATE_H
#define WGXDP_UDP_PRIVATE_H

#include <sys/socket.h>

#include "io/udp.h"

/* Room for the largest datagram; a test of truncation makes it smaller. */
#ifndef UDP_ROOM
#define UDP_ROOM 65536
#endif
/* Distance between slots. It is one cache line more than a power of two, so that the headers of a
 * batch do not all map to one cache set. Only pages that are touched use memory. */
#define UDP_STRIDE (UDP_ROOM + FRAME_HEADROOM)
#define UDP_TX_SLOTS (2 * FRAME_BATCH)
#define UDP_AREA_BYTES ((size_t)(FRAME_BATCH + UDP_TX_SLOTS) * UDP_STRIDE)

enum { UDP_V4, UDP_V6, UDP_FAMILIES };

union udp_control { /* class and packet info, either family */
	char bytes[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct cmsghdr align;
};

union udp_address {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct udp {
	struct transport transport;
	int fds[UDP_FAMILIES]; /* -1 = none */
	unsigned turn;	       /* the family that is read first; alternates */
	unsigned lent;	       /* rx slots with the worker */
	unsigned idle_count;
	uint16_t idle[UDP_TX_SLOTS];
	uint8_t *area; /* FRAME_BATCH rx slots, then UDP_TX_SLOTS */
	/* per rx slot */
	union udp_address from[FRAME_BATCH];
	struct in6_addr to[FRAME_BATCH];
	/* for one recvmmsg() or sendmmsg() */
	struct mmsghdr msgs[FRAME_BATCH];
	struct tx_frame *queued[FRAME_BATCH]; /* the frame of each message to be sent */
	struct iovec iovs[FRAME_BATCH];
	union udp_control controls[FRAME_BATCH];
};

static inline struct udp *udp_self(const struct transport *o)
{
	return (struct udp *)o; /* its first member */
}

/* udp_batch.c: the operations of transport.h */
unsigned udp_recv(struct transport *o, struct rx_frame *frames, unsigned max);
unsigned udp_alloc(struct transport *o, struct tx_frame *frames, unsigned n);
unsigned udp_send(struct transport *o, struct tx_frame *frames, unsigned n);
void udp_sweep(struct transport *o);

/* Fills @m for one message to @e from its local address, with @tclass in its IP header; @iov and
 * @control are borrowed. */
void udp_address_msg(struct msghdr *m, const struct endpoint *e, uint8_t tclass, struct iovec *iov,
		     union udp_control *control);

/* Call when the kernel refused @m with @err. If the cause may be a source address that is no longer
 * local, sends @m without it. Returns 0 or -errno; @err if nothing was tried. */
int udp_resend(int fd, struct msghdr *m, int err);

#endif
