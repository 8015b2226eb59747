/* SPDX-License-Identifier: MIT */
/*
 * socket_on_lt0.h - an AF_XDP socket on lt0, and frames that lt1, the other end of the veth pair,
 * sends to lt0. sandbox.h creates the pair and must be included first.
 */
#ifndef TESTS_BPF_SOCKET_ON_LT0_H
#define TESTS_BPF_SOCKET_ON_LT0_H

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <xdp/xsk.h>

#include "frames.h"

#define XSK_FRAMES 64U

struct socket_on_lt0 {
	struct xsk_umem *umem;
	struct xsk_socket *xsk;
	struct xsk_ring_prod fill, tx;
	struct xsk_ring_cons completion, rx;
	uint8_t *area;
};

static inline void open_socket(struct socket_on_lt0 *s)
{
	const struct xsk_socket_config config = {
		.rx_size = XSK_FRAMES,
		.tx_size = XSK_FRAMES,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
	};
	const size_t size = XSK_FRAMES * XSK_UMEM__DEFAULT_FRAME_SIZE;
	uint32_t at = 0;

	memset(s, 0, sizeof(*s));
	s->area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(s->area, MAP_FAILED);
	assert_int_equal(xsk_umem__create(&s->umem, s->area, size, &s->fill, &s->completion, NULL),
			 0);
	assert_int_equal(xsk_socket__create(&s->xsk, "lt0", 0, s->umem, &s->rx, &s->tx, &config),
			 0);
	assert_int_equal(xsk_ring_prod__reserve(&s->fill, XSK_FRAMES, &at), XSK_FRAMES);
	for (uint32_t i = 0; i < XSK_FRAMES; i++)
		*xsk_ring_prod__fill_addr(&s->fill, at + i) = i * XSK_UMEM__DEFAULT_FRAME_SIZE;
	xsk_ring_prod__submit(&s->fill, XSK_FRAMES);
}

static inline void close_socket(struct socket_on_lt0 *s)
{
	xsk_socket__delete(s->xsk);
	xsk_umem__delete(s->umem);
	munmap(s->area, XSK_FRAMES * XSK_UMEM__DEFAULT_FRAME_SIZE);
}

/* Sends @frame from the far end of the veth. If @gso is not NULL, it asks the kernel to complete
 * the UDP checksum. If @gso has a gso_type, @frame is one large UDP packet that stands for several
 * datagrams. Returns 0 or -errno. */
static inline int send_train(const struct frame *frame, const struct virtio_net_hdr *gso)
{
	const struct sockaddr_ll to = { .sll_family = AF_PACKET,
					.sll_ifindex = if_nametoindex("lt1") };
	struct iovec parts[] = { { (void *)gso, sizeof(*gso) },
				 { (void *)frame->data, frame->len } };
	const struct msghdr m = { .msg_name = (void *)&to,
				  .msg_namelen = sizeof(to),
				  .msg_iov = gso ? parts : parts + 1,
				  .msg_iovlen = gso ? 2 : 1 };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), on = 1, err = 0;

	if (gso)
		assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);
	if (sendmsg(fd, &m, 0) < 0)
		err = -errno;
	close(fd);
	return err;
}

static inline void send_frame(const struct frame *frame)
{
	assert_int_equal(send_train(frame, NULL), 0);
}

#endif
