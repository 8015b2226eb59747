/* SPDX-License-Identifier: MIT */
/*
 * compat.h - kernel constants that the headers of Debian 12 (6.1) do not have, by their value in
 * the kernel's ABI. Include it after the kernel header that may know them.
 */
#ifndef WGXDP_COMPAT_H
#define WGXDP_COMPAT_H

#ifndef XDP_USE_SG
#define XDP_USE_SG (1 << 4) /* linux/if_xdp.h, 6.6 */
#endif

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20 /* linux/if_tun.h, 6.2; only both or neither */
#define TUN_F_USO6 0x40
#endif

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5 /* linux/virtio_net.h, 6.2 */
#endif

#endif
