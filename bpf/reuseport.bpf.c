/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * reuseport.bpf.c - which of the port's UDP sockets gets a datagram.
 *
 *   type 1, 2, 3 ─▶ the daemon
 *   type 4       ─▶ the worker of its receiver index; while that one hangs, another that does not
 *   all else     ─▶ worker 0, who counts it: junk must not take the daemon's time
 *
 * IPv4 and IPv6 sockets are groups of their own, each with its places in `socks`. Where the wanted
 * one is empty the kernel chooses by its hash, and whoever gets what is another's hands it over.
 *
 * The context begins at the UDP header. Its bytes are read by a helper, since what is linear may be
 * the header alone.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/udp.h>

#include <asm/byteorder.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "heartbeat.bpf.h"
#include "maps.bpf.h"
#include "wgxdp/wire.h"

/* @worker, or while it hangs the first that does not. */
static __always_inline __u32 live_worker(__u32 worker)
{
	__u64 now_ns = bpf_ktime_get_boot_ns();

	if (heartbeat_fresh(worker, now_ns))
		return worker;
	for (__u32 other = 0; other < WORKERS_MAX; other++)
		if (heartbeat_fresh(other, now_ns))
			return other;
	return worker;
}

/* Whose datagram is it? */
static __always_inline __u32 member_for(const struct wire_data *data)
{
	__u32 index = __le32_to_cpu(data->receiver_index);
	const struct session_value *session;

	if (data->header.type >= WIRE_INITIATION && data->header.type <= WIRE_COOKIE)
		return SOCKS_DAEMON;
	session = bpf_map_lookup_elem(&sessions, &index);
	return SOCKS_WORKER(live_worker(session ? session->worker : 0));
}

SEC("sk_reuseport")
int wgxdp_reuseport(struct sk_reuseport_md *ctx)
{
	struct wire_data data = { 0 };
	__u32 key;

	/* What is too short for either is as good as zeros: junk. */
	bpf_skb_load_bytes(ctx, sizeof(struct udphdr), &data, sizeof(data));
	key = socks_key(member_for(&data), ctx->eth_protocol == bpf_htons(ETH_P_IPV6));
	bpf_sk_select_reuseport(ctx, &socks, &key, 0);
	return SK_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
