/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * reuseport.bpf.c - chooses the UDP socket that gets a datagram, if there are several workers.
 * (With one worker there is one socket for each address family, and this program is not loaded.)
 *
 *   type 1, 2, 3   ─▶ the daemon
 *   other          ─▶ the worker of its receiver index; while that worker hangs, a live worker
 *   unknown index  ─▶ worker 0, which counts the drop, so that junk costs the daemon no time
 *
 * The IPv4 and the IPv6 sockets form two groups; `socks` holds the sockets of both groups. If the
 * chosen element of `socks` is empty, the kernel chooses a socket of the group by a hash. In this
 * way a handshake message may reach a worker, which passes it to the control thread.
 *
 * The data of the context begins at the UDP header. A helper reads the payload, because the linear
 * part of the packet may contain nothing beyond the UDP header.
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

/* Returns @worker if it is alive, or else the first live worker. Returns @worker if none is
 * alive. */
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

/* Returns which socket of the group gets the message: SOCKS_DAEMON or SOCKS_WORKER(n). */
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

	/* If the datagram is too short, @data stays zero, and 0 is not a valid type. */
	bpf_skb_load_bytes(ctx, sizeof(struct udphdr), &data, sizeof(data));
	key = socks_key(member_for(&data), ctx->eth_protocol == bpf_htons(ETH_P_IPV6));
	bpf_sk_select_reuseport(ctx, &socks, &key, 0);
	return SK_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
