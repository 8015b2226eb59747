/* SPDX-License-Identifier: MIT */
/*
 * afxdp_pair.h - shared by the tests of the AF_XDP path. with_path() opens an AF_XDP socket on
 * queue 0 of the NIC near0 (netpair.h) before a test, and closes the socket afterwards.
 */
#ifndef WGXDP_TEST_AFXDP_PAIR_H
#define WGXDP_TEST_AFXDP_PAIR_H

#include <net/if.h>

#include "io/afxdp_private.h"
#include "netpair.h"
#include "to_xsk.h"

#define PORT 51820
#define FAR_PORT 40000
#define RX_FRAMES 256 /* few frames, so that the rings wrap many times */
#define TX_FRAMES 128
#define FRAME_BYTES 1900 /* of UDP payload; fits into a chunk of 2048 bytes */

static struct fault why;
static struct transport *path;
static struct tx_frame tx[TX_FRAMES + 1];

static inline int afxdp_pair_setup(void **state)
{
	netpair_setup(state);
	to_xsk_attach("near0");
	return 0;
}

static inline int afxdp_pair_teardown(void **state)
{
	to_xsk_detach();
	return netpair_teardown(state);
}

static inline struct afxdp_config near_config(void)
{
	return (struct afxdp_config){
		.nic = "near0",
		.ifindex = if_nametoindex("near0"),
		.layer3 = if_nametoindex("near0"),
		.mtu = 1500,
		.rx_frames = RX_FRAMES,
		.tx_frames = TX_FRAMES,
	};
}

static inline int open_path(void **state)
{
	const struct afxdp_config config = near_config();
	const uint32_t queue = 0;

	(void)state;
	path = NULL;
	if (afxdp_new(&path, &config, &why)) {
		print_error("%s\n", why.text);
		return -1;
	}
	return bpf_map_update_elem(to_xsk_sockets, &queue, &path->fd, 0);
}

static inline int close_path(void **state)
{
	(void)state;
	if (path)
		path->ops->deinit(path);
	return 0;
}

#define with_path(f) cmocka_unit_test_setup_teardown(f, open_path, close_path)

#endif
