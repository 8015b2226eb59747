/* SPDX-License-Identifier: MIT */
/*
 * udp_private.h - shared by udp.c (setup, and functions for any thread) and udp_batch.c (the
 * operations of transport.h).
 */
#ifndef WGXDP_UDP_PRIVATE_H
#define WGXDP_UDP_PRIVATE_H

#include <sys/socket.h>

#include "io/udp.h"

/* Bytes for the largest datagram. A test of truncation defines a smaller value. */
#ifndef UDP_ROOM
#define UDP_ROOM 65536
#endif
#define UDP_RX_SLOTS 64 /* buffers for recvmmsg(); with UDP_GRO, one may get several datagrams */
/* Every call of udp_recv() whose number is a multiple of this reads both families, even a family
 * that had no datagram when it was last read. The value is odd, so that these calls begin with each
 * family in turn. */
#define UDP_QUIET_EVERY 7
/* Distance between rx slots: one cache line more than a power of two, so that the headers of a
 * batch do not all map to one cache set. Only pages that are touched use memory. */
#define UDP_RX_STRIDE (UDP_ROOM + 64)
#define UDP_RX_BYTES ((size_t)UDP_RX_SLOTS * UDP_RX_STRIDE)
#define UDP_TX_BYTES ((size_t)FRAME_BATCH * 65536)
#define UDP_AREA_BYTES (UDP_RX_BYTES + UDP_TX_BYTES)

/* Limits of a train, which is a message with UDP_SEGMENT. Linux before 6.9 refuses more segments,
 * and the whole payload must fit an IPv6 datagram. */
#define UDP_TRAIN_MAX 64
#define UDP_TRAIN_BYTES (65535 - 40 - 8)

enum { UDP_V4, UDP_V6, UDP_FAMILIES };

union udp_control { /* class, packet info of either family, segment size */
	char bytes[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct in6_pktinfo)) +
		   CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

union udp_address {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct udp_rx { /* the contents of an rx slot */
	uint32_t len;
	/* Bytes of each datagram except the last (UDP_GRO). UINT32_MAX: the message was truncated,
	 * so the slot holds no datagram. */
	uint32_t size;
	struct rx_frame frame; /* the first datagram */
	union udp_address from;
	struct in6_addr to;
};

struct udp {
	struct transport transport;
	int fds[UDP_FAMILIES];	  /* -1 = none */
	bool gso;		  /* UDP_SEGMENT may be used */
	bool gro;		  /* UDP_GRO is on */
	bool quiet[UDP_FAMILIES]; /* there was no datagram when the family was last read */
	unsigned calls;		  /* number of calls of udp_recv() that read the sockets */
	/* Receiving: slots [0, filled) hold datagrams. recv() has already returned the datagrams in
	 * slots [0, at), and the datagrams before @offset in slot [at]. */
	unsigned filled, at;
	uint32_t offset;
	unsigned rx_vlen[UDP_FAMILIES]; /* number of slots that the next recvmmsg() offers */
	/* Sending: frames follow each other in memory, so that UDP_SEGMENT needs few iovecs. */
	size_t tx_used;	   /* allocated bytes of the UDP_TX_BYTES in @area */
	bool was_full;	   /* a send buffer was full; sweep() measures how full it is now */
	unsigned tx_count; /* frames that the worker has allocated and not sent yet */
	uint8_t *area;	   /* UDP_RX_BYTES for receiving, then UDP_TX_BYTES for sending */
	struct udp_rx rx[UDP_RX_SLOTS];
	/* Arguments of one recvmmsg() or sendmmsg(). */
	struct mmsghdr msgs[FRAME_BATCH];
	union udp_control controls[FRAME_BATCH];
	struct iovec iovs[FRAME_BATCH];
	struct tx_frame *queued[FRAME_BATCH]; /* the frames, message by message */
	uint16_t first[FRAME_BATCH + 1];      /* index in queued[] of a message's first frame */
};

static inline struct udp *udp_self(const struct transport *transport)
{
	return (struct udp *)transport; /* the transport is the first member */
}

/* udp_batch.c: the operations of transport.h */
unsigned udp_recv(struct transport *transport, struct rx_frame *frames, unsigned max);
unsigned udp_alloc(struct transport *transport, struct tx_frame *frames, unsigned n, uint32_t len);
unsigned udp_send(struct transport *transport, struct tx_frame *frames, unsigned n);
void udp_sweep(struct transport *transport);

/* Fills @m for one message from e->local to e->remote, with @tclass in the IP header; @iov and
 * @control are borrowed. */
void udp_address_msg(struct msghdr *m, const struct endpoint *e, uint8_t tclass, struct iovec *iov,
		     union udp_control *control);

/* Call this when the kernel refused @m with @err. If the cause may be a source address that is no
 * longer local, sends @m again without a source address and returns 0 or the new -errno. Otherwise
 * returns @err. */
int udp_resend(int fd, struct msghdr *m, int err);

#endif
