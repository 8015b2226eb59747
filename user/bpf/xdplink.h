/* SPDX-License-Identifier: MIT */
/*
 * xdplink.h - one XDP program on one NIC by a bpf_link: an fd whose close detaches it, so it dies
 * with its owner. What others have attached is never displaced.
 */
#ifndef WGXDP_XDPLINK_H
#define WGXDP_XDPLINK_H

#include "bpf/loader.h"
#include "wgxdp/limits.h"

/* The MAC address of an Ethernet device; loopback has one too, all zeros. Returns 0 or -errno with
 * @f: -ENODEV, -EOPNOTSUPP (another kind of device). */
int xdplink_mac(const char *nic, uint8_t mac[static 6], struct fault *f);

/* Attaches program @prog_fd. Returns the link's fd with *@native set, or -errno with @f, as
 * loader_attach() says. */
int xdplink_open(int prog_fd, uint32_t ifindex, const char *nic, enum loader_mode mode,
		 bool *native, struct fault *f);

/* No program of anybody is there: 0, else -EBUSY with @f, which says whose it is. */
int xdplink_vacant(uint32_t ifindex, const char *nic, struct fault *f);

/* If program @fd is that of another interface of ours, known by a map that it uses and that is
 * pinned: which. Else @interface is left alone. */
void xdplink_owner(int fd, char interface[static IFNAME_MAX + 1]);

/* Is it still on its NIC? False once the NIC is gone or the link was torn off by force. */
bool xdplink_alive(int fd);

#endif
