/* SPDX-License-Identifier: MIT */
/*
 * tun.h - the tunnel interface: a TUN device with a vnet header before each packet. Each worker
 * has one queue. The kernel deletes the interface when its last queue is closed.
 */
#ifndef WGXDP_TUN_H
#define WGXDP_TUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/fault.h"

#define TUN_VNET_LEN 10 /* struct virtio_net_hdr */

struct iovec;
struct virtio_net_hdr;

struct tun {
	int fd; /* non-blocking */
	uint32_t ifindex;
	char name[16];
	bool multi_queue;  /* queues can be added; may be false for a given descriptor */
	uint8_t vnet_len;  /* TUN_VNET_LEN; 0 for a given descriptor without IFF_VNET_HDR */
	unsigned offloads; /* TUN_F_...: work that the host leaves to the reader of its packets */
	bool uso;	   /* large UDP packets may be written */
};

/* Creates the interface @name (multi-queue, IFF_VNET_HDR), or uses the descriptor @given_fd if that
 * is >= 0 (WG_TUN_FD). Sets the MTU, txqueuelen, addr_gen_mode (none) and send_redirects (off) of
 * the interface. A new interface is down; a given one keeps its state. Returns 0, or -errno with @f
 * filled in: -EBUSY (the name is in use), -EPERM, -ENOENT (/dev/net/tun), -EINVAL, -EMFILE or
 * -ENFILE. On failure a given descriptor stays open. */
int tun_open(struct tun *t, const char *name, int given_fd, uint32_t mtu, struct fault *f);
void tun_close(struct tun *t);

/* Adds a queue to the interface of @first, for another worker. All queues must be closed together,
 * because the kernel renumbers the others when a single one is closed. Returns 0 or -errno. */
int tun_add_queue(struct tun *queue, const struct tun *first, struct fault *f);

/* Sets the offloads of the interface. @from_host: the host may leave checksums and the segmentation
 * of large TCP packets to the reader. @udp: if the kernel supports large UDP packets (Linux 6.2),
 * set t->uso and, with @from_host, accept such packets from the host as well. Only for a device
 * with vnet headers, and before queues are added. Returns 0, or -errno with @f filled in. */
int tun_set_offloads(struct tun *t, bool from_host, bool udp, struct fault *f);

/* Reads one inner IP packet into @buf of @room bytes, and its vnet header into @vnet. Returns the
 * length of the packet; 0 if there is none or the interface is down; or -errno: -EBADFD (the
 * interface was deleted), -EMSGSIZE (the packet was larger than @room and is lost). */
int tun_read(const struct tun *t, struct virtio_net_hdr *vnet, uint8_t *buf, size_t room);

/* Writes the IP packet of @len bytes at @packet. The TUN_VNET_LEN bytes before it are overwritten.
 * Returns 0 or -errno: -EIO (the interface is down), -EBADFD (the interface was deleted). */
int tun_write(const struct tun *t, uint8_t *packet, size_t len);

/* Writes one packet, which may be large, from the @n pieces in @iov, the first of which begins with
 * the vnet header. The device must have vnet headers. Returns the values of tun_write(), or -EINVAL
 * if the kernel does not accept the vnet header. */
int tun_writev(const struct tun *t, const struct iovec *iov, unsigned n);

#endif
