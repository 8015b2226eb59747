/* SPDX-License-Identifier: MIT */
/*
 * tun.h - the tunnel interface: a TUN device with a vnet header before each packet. One queue a
 * worker. The interface goes with its last queue.
 */
#ifndef WGXDP_TUN_H
#define WGXDP_TUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/fault.h"

#define TUN_VNET_LEN 10 /* struct virtio_net_hdr */

struct tun {
	int fd; /* non-blocking */
	uint32_t ifindex;
	char name[16];
	bool multi_queue; /* more queues can be added: not to every given descriptor */
	uint8_t vnet_len; /* TUN_VNET_LEN; 0 for a given descriptor without IFF_VNET_HDR */
};

/* Creates @name (multi-queue, IFF_VNET_HDR, no offloads yet), or with @given_fd >= 0 takes over an
 * open one (WG_TUN_FD). Sets addr_gen_mode none, txqueuelen; send_redirects is off. The interface
 * is down (a given one: as it was), MTU @mtu. Returns 0/-errno with @f: -EBUSY (name taken), -EPERM,
 * -ENOENT (/dev/net/tun), -EINVAL. On failure a given descriptor stays open. */
int tun_open(struct tun *t, const char *name, int given_fd, uint32_t mtu, struct fault *f);
void tun_close(struct tun *t);

/* One more queue of the interface of @first, for another worker: @queue is a struct tun of its own.
 * Queues are closed all together, never singly: the kernel would number them anew. 0/-errno. */
int tun_add_queue(struct tun *queue, const struct tun *first, struct fault *f);

/* Reads one packet, an inner IP packet without its vnet header, into @buf of @room bytes.
 * Returns its length, 0 when there is none (so too while the interface is down), -errno: -EBADFD
 * (deleted), -EMSGSIZE (larger than @room, lost). */
int tun_read(const struct tun *t, uint8_t *buf, size_t room);

/* Writes the IP packet of @len bytes at @packet; the TUN_VNET_LEN bytes before it are overwritten.
 * Returns 0 or -errno: -EIO (interface is down), -EBADFD (deleted). */
int tun_write(const struct tun *t, uint8_t *packet, size_t len);

#endif
