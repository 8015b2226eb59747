/* SPDX-License-Identifier: MIT */
/*
 * skb_layout.h - reads offsets from the running kernel's BTF. With these offsets the XDP program in
 * generic mode recognises frames that the kernel has joined from several datagrams
 * (bpf/joined.bpf.h).
 */
#ifndef WGXDP_BPF_SKB_LAYOUT_H
#define WGXDP_BPF_SKB_LAYOUT_H

#include <stdint.h>

#include "util/fault.h"

/* Offsets and sizes in bytes. */
struct skb_layout {
	uint32_t frame_start;	    /* offset of data_hard_start in struct xdp_buff */
	uint32_t frame_size;	    /* offset of frame_sz in struct xdp_buff */
	uint32_t shared_info_bytes; /* size of struct skb_shared_info, rounded up to cache lines */
	uint32_t gso_size;	    /* offset in struct skb_shared_info */
	uint32_t gso_segs;	    /* offset in struct skb_shared_info */
};

/* Returns 0, or -ENOTSUP with @f filled in: the kernel has no BTF or lacks a member, or the cache
 * line size of this architecture is unknown. */
int skb_layout_read(struct skb_layout *layout, struct fault *f);

#endif
