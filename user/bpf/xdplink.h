/* SPDX-License-Identifier: MIT */
/*
 * xdplink.h - one XDP program on one NIC by a bpf_link, an fd whose close detaches the program. So
 * the program dies with its owner. Programs of others are never displaced.
 */
#ifndef WGXDP_XDPLINK_H
#define WGXDP_XDPLINK_H

#include "bpf/loader.h"
#include "wgxdp/limits.h"

/* Reads the MAC address of an Ethernet device. That of loopback is all zeros. Returns 0 or -errno
 * with
 * @f: -ENODEV, -EOPNOTSUPP (another kind of device). */
int xdplink_mac(const char *nic, uint8_t mac[static 6], struct fault *f);

/* Attaches program @prog_fd. Returns the link's fd with *@native set, or -errno with @f like
 * loader_attach(). */
int xdplink_open(int prog_fd, uint32_t ifindex, const char *nic, enum loader_mode mode,
		 bool *native, struct fault *f);

/* Returns 0 if no XDP program is attached, else -EBUSY with @f, which names the program. */
int xdplink_vacant(uint32_t ifindex, const char *nic, struct fault *f);

/* Finds the wgxdp interface that owns program @fd, by a map that the program uses and that the
 * owner has pinned. @interface is left alone if there is none. */
void xdplink_owner(int fd, char interface[static IFNAME_MAX + 1]);

/* Whether the program is still on its NIC. False if the NIC is gone or somebody detached the link
 * by force. */
bool xdplink_alive(int fd);

#endif
