/* SPDX-License-Identifier: MIT */
/*
 * udp_pair.h - shared by the tests of the UDP sockets: a UDP transport on port 51820 in the near
 * namespace of netpair.h, and frames to send and receive with this transport. The header includes
 * the code under test, so that tests can call the static functions of this code.
 */
#ifndef WGXDP_TEST_UDP_PAIR_H
#define WGXDP_TEST_UDP_PAIR_H

#include <stddef.h>

static size_t room = 65536;
#define UDP_ROOM room

#include "../../user/io/udp.c"	     /* NOLINT(bugprone-suspicious-include) */
#include "../../user/io/udp_batch.c" /* NOLINT(bugprone-suspicious-include) */

#include "netpair.h"

#define PORT 51820
#define FAR_PORT 40000

static struct fault why;
static struct transport *path;
static struct rx_frame rx[FRAME_BATCH];
static struct tx_frame tx[FRAME_BATCH];
static struct encap encaps[FRAME_BATCH];

static inline int open_path(void **state)
{
	uint16_t port = PORT;

	(void)state;
	room = 65536;
	path = NULL;
	return udp_new(&path, &port, 0, &why);
}

static inline int close_path(void **state)
{
	(void)state;
	if (path)
		path->ops->deinit(path);
	return 0;
}

/* Allocates @n frames, each with room for the largest datagram. */
static inline unsigned alloc(struct tx_frame *frames, unsigned n)
{
	return path->ops->alloc(path, frames, n, 65536);
}

/* Receives datagrams until there are @n, or until none comes for 2 s. Returns their number. */
static inline unsigned receive(unsigned n)
{
	unsigned got = 0;

	while (got < n && netpair_readable(path->fd, 2000))
		got += path->ops->recv(path, rx + got, FRAME_BATCH - got);
	return got;
}

static inline struct endpoint to(const char *remote, uint16_t port, const char *local)
{
	struct endpoint e = { 0 };
	union netpair_address a;

	netpair_address(&a, remote, port);
	memcpy(&e.remote, &a, sizeof(e.remote));
	if (local)
		assert_int_equal(inet_pton(a.sa.sa_family, local, &e.local), 1);
	return e;
}

/* Makes frame @i a message to @e. The message has @len bytes, each of them @fill_byte. */
static inline void fill(unsigned i, struct endpoint e, int fill_byte, uint32_t len)
{
	encaps[i] = (struct encap){ .endpoint = e };
	tx[i].encap = &encaps[i];
	tx[i].len = len;
	memset(tx[i].payload, fill_byte, len);
}

#define with_path(f) cmocka_unit_test_setup_teardown(f, open_path, close_path)

#endif
