/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * maps.bpf.h - the maps, BTF-typed so that bpftool prints them by field; keys, values and who
 * writes them: wgxdp/maps.h. Only programs include this.
 *
 * What may hold a million entries is not preallocated: an interface with three peers must not pin
 * the memory of a million. Only the control thread inserts, so the data path never allocates.
 */
#ifndef WGXDP_MAPS_BPF_H
#define WGXDP_MAPS_BPF_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "wgxdp/limits.h"
#include "wgxdp/maps.h"
#include "wgxdp/reasons.h"

/* (address, port) that is ours -> 1 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LISTEN_MAX);
	__type(key, struct listen_key);
	__type(value, __u8);
} listen SEC(".maps");

/* receiver index, host order -> peer slot */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SESSIONS_MAX);
	__type(key, __u32);
	__type(value, struct session_value);
} sessions SEC(".maps");

/* slot -> who that is. No program reads it: it is here for people. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PEERS_MAX);
	__type(key, __u32);
	__type(value, struct peer_value);
} peers SEC(".maps");

/* slot -> what came with one of the peer's indices, before it is authenticated */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PEERS_MAX);
	__type(key, __u32);
	__type(value, struct peer_stats_value);
} peer_stats SEC(".maps");

/* slot -> what of it authenticated. No program reads it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PEERS_MAX);
	__type(key, __u32);
	__type(value, struct peer_stats_value);
} peer_auth SEC(".maps");

/* allowed IPs -> peer slot. One more than the daemon ever puts in: kernels before 6.13 refuse to
 * replace an entry of a full trie. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, ALLOWED_IPS_MAX + 1);
	__type(key, struct allowed4_key);
	__type(value, __u32);
} allowed4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, ALLOWED_IPS_MAX + 1);
	__type(key, struct allowed6_key);
	__type(value, __u32);
} allowed6 SEC(".maps");

/* 0 -> what handshakes are checked with */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct mac_keys_value);
} mac_keys SEC(".maps");

/* enum reason -> what died here for it */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, REASON_COUNT);
	__type(key, __u32);
	__type(value, struct drops_value);
} drops SEC(".maps");

/* enum reason -> what would have died here, but passed since the host forwards */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, REASON_COUNT);
	__type(key, __u32);
	__type(value, struct drops_value);
} passes SEC(".maps");

/* struct event, one after the other */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, EVENTS_BYTES);
} events SEC(".maps");

/* worker -> slot it writes for */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WORKERS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} tun_writer SEC(".maps");

/* worker -> when it was last seen alive */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WORKERS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} heartbeat SEC(".maps");

/* ifindex -> MAC address and number of a NIC we are attached to */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NICS_MAX);
	__type(key, __u32);
	__type(value, struct nic_value);
} nics SEC(".maps");

/* xsks_key() -> AF_XDP socket of that queue. The kind takes no BTF. */
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, XSKS_MAX);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} xsks SEC(".maps");

/* socks_key() -> UDP socket. No BTF either. */
struct {
	__uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
	__uint(max_entries, SOCKS_MAX);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u64));
} socks SEC(".maps");

#endif
