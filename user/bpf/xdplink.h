/* SPDX-License-Identifier: MIT */
/*
 * xdplink.h - attaches one XDP program to one NIC by a bpf_link. Closing the link's fd detaches the
 * program, so the program dies with the daemon. Other programs are never replaced.
 */
#ifndef WGXDP_XDPLINK_H
#define WGXDP_XDPLINK_H

#include <linux/bpf.h>

#include "bpf/loader.h"
#include "wgxdp/limits.h"

/* Reads the MAC address of an Ethernet device; loopback has all zeros. Returns 0, or -errno with @f
 * filled in: -ENODEV, -EOPNOTSUPP (another kind of device). */
int xdplink_mac(const char *nic, uint8_t mac[static 6], struct fault *f);

/* Attaches program @prog_fd in native or in generic mode. Returns the link's fd, or -errno with @f
 * filled in, like loader_attach(). */
int xdplink_open(int prog_fd, uint32_t ifindex, const char *nic, bool native, struct fault *f);

/* Returns 0 if no XDP program is attached, else -EBUSY and names the program in @f. */
int xdplink_vacant(uint32_t ifindex, const char *nic, struct fault *f);

/* Writes the name of the program @id, or "unnamed" if the program has no name or if this process is
 * not permitted to read the name (this needs CAP_SYS_ADMIN). */
void xdplink_name(uint32_t id, char name[static BPF_OBJ_NAME_LEN]);

/* Finds the wgxdp interface that owns program @fd, by a map that the program uses and that is
 * pinned for this interface. Leaves @interface unchanged if there is no such interface. */
void xdplink_owner(int fd, char interface[static IFNAME_MAX + 1]);

/* Returns true if the program is still on its NIC; false if the NIC is gone or if another program
 * detached the link by force. */
bool xdplink_alive(int fd);

#endif
