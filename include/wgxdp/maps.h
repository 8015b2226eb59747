/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * maps.h - key and value of every BPF map, shared by the programs in bpf/ and by user/daemon.
 * Explicit padding only, so that a key compared byte by byte is the key that was meant.
 * The maps are pinned under /sys/fs/bpf/wgxdp/<interface>/ by the names in the headings.
 *
 *   map         kind                 written by     read by
 *   listen      hash                 control        XDP
 *   sessions    hash                 control        XDP
 *   peers       hash                 control        people
 *   peer_stats  per-CPU hash         XDP            CLI (control creates and deletes elements)
 *   drops       per-CPU array        XDP            CLI
 *   passes      per-CPU array        XDP            CLI
 *   nics        hash                 control        XDP
 *   xsks        XSKMAP (no BTF)      control        XDP
 */
#ifndef WGXDP_MAPS_H
#define WGXDP_MAPS_H

#include <linux/types.h>

#define LISTEN_MAX (1U << 16) /* a Kubernetes node holds thousands of local addresses */
#define NICS_MAX 16	      /* that one interface attaches to */
#define NIC_QUEUES_MAX 64     /* of one NIC; frames of later queues pass to the UDP socket */

/* listen: a local unicast address on which the port is open. IPv4 is written as ::ffff:a.b.c.d. */
struct listen_key {
	__u8 address[16]; /* network order */
	__be16 port;
	__u16 zero;
};

/* sessions: what a receiver index of ours stands for. The key is the index in host order. */
enum session_kind {
	SESSION_PENDING = 0, /* we sent an initiation; only types 2 and 3 may name it */
	SESSION_DATA = 1,    /* types 2, 3 and 4 */
};

struct session_value {
	__u32 slot;   /* of the peer */
	__u16 worker; /* that owns its packets when they come by UDP */
	__u8 kind;    /* enum session_kind */
	__u8 zero;
};

/* peers: for people with bpftool; the key is the slot. Texts end in NUL. */
struct peer_value {
	char public_key[45]; /* base64 */
	char endpoint[64];   /* 192.0.2.1:51820 or [2001:db8::1]:51820; empty = none yet */
	char name[32];	     /* from "# Name =" in the config */
	__u8 zero[3];
	__u64 latest_handshake; /* Unix time in s; 0 = never */
};

/* peer_stats: what reached us or left with the peer's index on it, authenticated or not. */
struct peer_stats_value {
	__u64 rx_packets;
	__u64 rx_bytes; /* UDP payload */
	__u64 tx_packets;
	__u64 tx_bytes;
};

/* drops: indexed by enum reason (reasons.h).
 * passes: likewise, what failed the same check but went on to the stack, since the host forwards
 * and may hold a translated flow for it. */
struct drops_value {
	__u64 packets;
	__u64 bytes; /* of the frame as XDP saw it */
};

/* nics: what the program must know of a NIC that it is attached to; the key is its ifindex. */
struct nic_value {
	__u8 mac[6];  /* frames to any other are not ours */
	__u16 number; /* 0..NICS_MAX-1, its place in xsks */
};

#define XSKS_MAX (NICS_MAX * NIC_QUEUES_MAX)

/* xsks: the key of the socket for @queue of the NIC with @number. */
static inline __u32 xsks_key(__u32 number, __u32 queue)
{
	return number * NIC_QUEUES_MAX + queue;
}

_Static_assert(sizeof(struct listen_key) == 20, "no hidden padding");
_Static_assert(sizeof(struct session_value) == 8, "no hidden padding");
_Static_assert(sizeof(struct peer_value) == 152, "no hidden padding");
_Static_assert(sizeof(struct nic_value) == 8, "no hidden padding");

#endif
