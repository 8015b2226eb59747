/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * joined.bpf.h - tells whether a frame in generic XDP holds several datagrams. The kernel may have
 * joined them by GRO on a port of a bridge, or a sender behind a veth may have sent them as one
 * train (UDP_SEGMENT). Native XDP never sees such a frame.
 *
 * No member of struct xdp_md tells whether a frame was joined. But in generic XDP the struct
 * skb_shared_info of the socket buffer is still in memory, behind the frame's tailroom:
 *
 *   data_hard_start                                       data_hard_start + frame_sz
 *     │ headroom │ frame │ tailroom │ struct skb_shared_info │
 *                                     gso_size, gso_segs
 *
 * The address of the context of an XDP program is the address of the kernel's struct xdp_buff. The
 * daemon reads the offsets of the members from the kernel's BTF (user/bpf/skb_layout.h).
 */
#ifndef WGXDP_JOINED_BPF_H
#define WGXDP_JOINED_BPF_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

/* Offsets and sizes in bytes. They are set only in the copy of the program for generic mode. In the
 * other copies they are 0, and the verifier removes the code that reads kernel memory. */
const volatile __u32 frame_start_at;	/* offset of data_hard_start in struct xdp_buff */
const volatile __u32 frame_size_at;	/* offset of frame_sz in struct xdp_buff */
const volatile __u32 shared_info_bytes; /* aligned size of struct skb_shared_info; 0 = no check */
const volatile __u32 gso_size_at;	/* offset of gso_size in struct skb_shared_info */
const volatile __u32 gso_segs_at;	/* offset of gso_segs in struct skb_shared_info */

/* Returns the number of datagrams that GRO or UDP_SEGMENT has joined in the frame. Returns 1 if
 * there are several but their number is unknown: a virtual machine may send such a frame without
 * the number. Returns 0 if the frame holds one datagram, or if shared_info_bytes is 0. */
static __always_inline __u32 joined_datagrams(const struct xdp_md *ctx)
{
	const void *start = NULL, *shared;
	__u16 gso_size = 0, gso_segs = 0;
	__u32 size = 0;

	if (!shared_info_bytes)
		return 0;
	if (bpf_probe_read_kernel(&start, sizeof(start), (const void *)ctx + frame_start_at) ||
	    bpf_probe_read_kernel(&size, sizeof(size), (const void *)ctx + frame_size_at))
		return 0;
	shared = start + size - shared_info_bytes;
	if (bpf_probe_read_kernel(&gso_size, sizeof(gso_size), shared + gso_size_at) ||
	    bpf_probe_read_kernel(&gso_segs, sizeof(gso_segs), shared + gso_segs_at) || !gso_size)
		return 0;
	return gso_segs ? gso_segs : 1;
}

#endif
