/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * maps.bpf.h - defines the maps with BTF types, so that bpftool prints them by field. wgxdp/maps.h
 * describes keys, values and writers. Only BPF programs include this file.
 *
 * Maps that can hold a million entries are not preallocated, because an interface with three peers
 * must not use the memory for a million. Only the control thread inserts entries, so the data path
 * never allocates memory.
 */
#ifndef WGXDP_MAPS_BPF_H
#define WGXDP_MAPS_BPF_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "wgxdp/limits.h"
#include "wgxdp/maps.h"
#include "wgxdp/reasons.h"

/* (address, port) of an open UDP socket of the daemon -> 1 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LISTEN_MAX);
	__type(key, struct listen_key);
	__type(value, __u8);
} listen SEC(".maps");

/* receiver index, host order -> peer slot, worker, and kind (pending or data) */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SESSIONS_MAX);
	__type(key, __u32);
	__type(value, struct session_value);
} sessions SEC(".maps");

/* slot -> description of the peer, for administrators; no BPF program reads it */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PEERS_MAX);
	__type(key, __u32);
	__type(value, struct peer_value);
} peers SEC(".maps");

/* slot -> counters of the peer's traffic: the data messages that were received for its sessions,
 * authentic or not, and the packets that the host has sent to the peer, as they were before
 * encryption */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PEERS_MAX);
	__type(key, __u32);
	__type(value, struct peer_stats_value);
} peer_stats SEC(".maps");

/* slot -> authenticated packets and bytes, for administrators; no BPF program reads it */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PEERS_MAX);
	__type(key, __u32);
	__type(value, struct peer_stats_value);
} peer_auth SEC(".maps");

/* allowed IPs -> peer slot. There is room for one entry more than the daemon inserts, because
 * kernels before 6.13 refuse to replace an entry of a full trie. */
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

/* 0 -> the keys for checking mac1 and mac2 of handshake messages */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct mac_keys_value);
} mac_keys SEC(".maps");

/* enum reason -> packets and bytes that BPF programs dropped for this reason */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, REASON_COUNT);
	__type(key, __u32);
	__type(value, struct drops_value);
} drops SEC(".maps");

/* enum reason -> packets and bytes that failed a check but were passed, because the host forwards;
 * REASON_stalled -> data messages that were passed because their worker hung */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, REASON_COUNT);
	__type(key, __u32);
	__type(value, struct drops_value);
} passes SEC(".maps");

/* samples of dropped packets, each a struct event */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, EVENTS_BYTES);
} events SEC(".maps");

/* worker -> slot of the peer whose packet the worker is writing to the tunnel interface */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WORKERS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} tun_writer SEC(".maps");

/* worker -> time of the worker's last heartbeat */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WORKERS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} heartbeat SEC(".maps");

/* ifindex of a NIC with our program -> the NIC's MAC address, its number for xsks_key(), and the
 * worker of each of its queues */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NICS_MAX);
	__type(key, __u32);
	__type(value, struct nic_value);
} nics SEC(".maps");

/* xsks_key() -> AF_XDP socket of that queue; this map type does not accept BTF types */
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, XSKS_MAX);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} xsks SEC(".maps");

/* socks_key() -> UDP socket; this map type does not accept BTF types */
struct {
	__uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
	__uint(max_entries, SOCKS_MAX);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u64));
} socks SEC(".maps");

#endif
