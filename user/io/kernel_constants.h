/* SPDX-License-Identifier: MIT */
/*
 * kernel_constants.h - constants of Linux that the headers of Debian 12 (Linux 6.1) lack. If newer
 * headers define a constant, their definition is used. Callers must find out at run time whether
 * the kernel has the feature.
 */
#ifndef WGXDP_KERNEL_CONSTANTS_H
#define WGXDP_KERNEL_CONSTANTS_H

#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/version.h>
#include <linux/virtio_net.h>

/* Linux 6.2: UDP segmentation on TUN devices. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

/* Linux 6.3: the generic netlink family "netdev". NETDEV_A_DEV_XDP_FEATURES has 8 bytes. */
#if __has_include(<linux/netdev.h>)
#include <linux/netdev.h>
#else
#define NETDEV_FAMILY_NAME "netdev"
#define NETDEV_FAMILY_VERSION 1
#define NETDEV_CMD_DEV_GET 1
#define NETDEV_A_DEV_IFINDEX 1
#define NETDEV_A_DEV_XDP_FEATURES 3
#define NETDEV_XDP_ACT_BASIC 0x1
#define NETDEV_XDP_ACT_REDIRECT 0x2
#define NETDEV_XDP_ACT_XSK_ZEROCOPY 0x8
#endif

/* Linux 6.8: requests of the family "netdev" for the queues of a NIC. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define NETDEV_CMD_QUEUE_GET 10
#define NETDEV_A_QUEUE_ID 1
#define NETDEV_A_QUEUE_IFINDEX 2
#define NETDEV_A_QUEUE_TYPE 3
#define NETDEV_QUEUE_TYPE_RX 0
#define NETDEV_QUEUE_TYPE_TX 1
#endif

/* Linux 6.15: whether a queue has an AF_XDP socket. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 15, 0)
#define NETDEV_A_QUEUE_XSK 7
#endif

/* Linux 6.6: attach types of tcx. They are macros, because macros do not collide with the enum if a
 * distribution has added tcx to older headers. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define BPF_TCX_INGRESS ((enum bpf_attach_type)46)
#define BPF_TCX_EGRESS ((enum bpf_attach_type)47)
#endif

/* Linux 6.17: a chain of nf_tables for all NICs whose names begin with a prefix. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
#define NFTA_DEVICE_PREFIX 2
#endif

#endif
