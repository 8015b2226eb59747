/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * maps.h - key and value of every BPF map, shared by the programs in bpf/ and by user/daemon.
 * Explicit padding only, so that a key compared byte by byte is the key that was meant.
 * The maps are pinned under /sys/fs/bpf/wgxdp/<interface>/ by the names in the headings.
 *
 *   map         kind                 written by     read by
 *   listen      hash                 control        XDP, NIC's TC
 *   sessions    hash                 control        XDP, NIC's TC, reuseport
 *   peers       hash                 control        people
 *   peer_stats  per-CPU hash         XDP, TC        CLI (control creates and deletes elements)
 *   peer_auth   hash                 control        people, CLI
 *   allowed4    LPM trie             control        wg0's TC
 *   allowed6    LPM trie             control        wg0's TC
 *   mac_keys    array of one         control        XDP, NIC's TC
 *   drops       per-CPU array        XDP, TC        CLI
 *   passes      per-CPU array        XDP, NIC's TC  CLI
 *   events      ring buffer          XDP, TC        control
 *   nics        hash                 control        XDP, NIC's TC
 *   tun_writer  mmapable array       workers        wg0's TC
 *   heartbeat   mmapable array       workers        XDP, NIC's TC, reuseport
 *   xsks        XSKMAP (no BTF)      control        XDP
 *   socks       REUSEPORT_SOCKARRAY  control        reuseport
 */
#ifndef WGXDP_MAPS_H
#define WGXDP_MAPS_H

#include <linux/types.h>

#define LISTEN_MAX (1U << 16) /* a Kubernetes node holds thousands of local addresses */
#define NICS_MAX 16	      /* that one interface attaches to */
#define NIC_QUEUES_MAX 64     /* of one NIC; frames of later queues pass to the UDP socket */
#define WORKERS_MAX 64	      /* of one interface; each has one queue of the tunnel interface */

/* What stands in the place of a peer's slot, all of which are below PEERS_MAX. */
#define SLOT_NONE 0xffffffffU  /* nobody */
#define SLOT_LOCAL 0xfffffffeU /* we ourselves, with an ICMP error for a packet of this host */

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

/* peer_stats: what was offered. In: with the peer's index on it, authenticated or not. Out: to one of
 * its allowed IPs, sent or not; a GSO packet counts as many packets as it becomes, but its headers
 * once.
 * peer_auth: what it came to, as `wg show transfer` has it: only what authenticated. */
struct peer_stats_value {
	__u64 rx_packets;
	__u64 rx_bytes; /* UDP payload */
	__u64 tx_packets;
	__u64 tx_bytes; /* peer_stats: inner IP packets; peer_auth: UDP payload */
};

/* allowed4, allowed6: allowed IPs -> slot. Host bits are zero. */
struct allowed4_key {
	__u32 length; /* bits; the kernel wants it first */
	__u8 address[4];
};

struct allowed6_key {
	__u32 length;
	__u8 address[16];
};

/* mac_keys: what proves that the sender of a handshake knows something, [W] 5.4.4. The cookie
 * secrets and under_load are for the check of mac2 and zero as long as no program makes it. */
struct mac_keys_value {
	__u32 mac1[8];	    /* BLAKE2s after the key block: blake2s_midstate() */
	__u32 cookie[2][8]; /* likewise for the current and the last cookie secret */
	__u8 has_mac1;	    /* 0: no private key, every mac1 passes */
	__u8 under_load;
	__u8 zero[2];
};

/* drops: indexed by enum reason (reasons.h).
 * passes: likewise, what failed the same check but went on to the stack, since the host forwards
 * and may hold a translated flow for it. */
struct drops_value {
	__u64 packets;
	__u64 bytes; /* XDP and the NIC's TC: of the frame; wg0's TC: of the IP packet */
};

/* events: samples of what was counted in drops, at most EVENTS_PER_S for each reason. */
#define EVENTS_PER_S 10
#define EVENTS_BYTES (1U << 16) /* of the ring; when nobody reads, further samples are lost */
#define EVENT_HEAD_LEN 64	/* IPv6, UDP and the header of a data message */

enum event_hook {
	EVENT_XDP = 0,
	EVENT_NIC = 1,	   /* the NIC's TC ingress */
	EVENT_EGRESS = 2,  /* wg0's TC egress */
	EVENT_INGRESS = 3, /* wg0's TC ingress */
};

struct event {
	__u64 boot_ns; /* CLOCK_BOOTTIME */
	__u32 reason;  /* enum reason */
	__u32 ifindex;
	__u32 bytes; /* as counted in drops */
	__u16 head_len;
	__u8 hook; /* enum event_hook */
	__u8 zero;
	__u8 head[EVENT_HEAD_LEN]; /* how the packet begins, from its IP header on */
};

/* nics: what the program must know of a NIC that it is attached to; the key is its ifindex. */
struct nic_value {
	__u8 mac[6];		      /* frames to any other are not ours */
	__u16 number;		      /* 0..NICS_MAX-1, its place in xsks */
	__u8 workers[NIC_QUEUES_MAX]; /* queue -> worker that serves its socket */
};

#define XSKS_MAX (NICS_MAX * NIC_QUEUES_MAX)

/* xsks: the key of the socket for @queue of the NIC with @number. */
static inline __u32 xsks_key(__u32 number, __u32 queue)
{
	return number * NIC_QUEUES_MAX + queue;
}

/* tun_writer: queue of the tunnel interface (= worker) -> slot of the peer whose packet the worker is just
 * writing into it, SLOT_LOCAL or SLOT_NONE. Values are 8 bytes apart in the mmapped array.
 *
 * heartbeat: worker -> CLOCK_BOOTTIME in ns of its last turn; 0 = it has not begun or has ended. A worker
 * writes it at least every second, with or without traffic; one older than HEARTBEAT_STALE_NS is
 * taken for hung, and its packets go to the UDP socket of another. */
#define HEARTBEAT_STALE_NS 2500000000ULL

/* socks: the UDP sockets of the port. IPv4 and IPv6 ones are groups of their own. */
#define SOCKS_DAEMON 0
#define SOCKS_WORKER(worker) (1 + (worker))
#define SOCKS_MAX (2 * SOCKS_WORKER(WORKERS_MAX))

static inline __u32 socks_key(__u32 member, int ipv6)
{
	return 2 * member + !!ipv6;
}

_Static_assert(sizeof(struct listen_key) == 20, "no hidden padding");
_Static_assert(sizeof(struct session_value) == 8, "no hidden padding");
_Static_assert(sizeof(struct peer_value) == 152, "no hidden padding");
_Static_assert(sizeof(struct nic_value) == 72, "no hidden padding");
_Static_assert(sizeof(struct allowed4_key) == 8, "no hidden padding");
_Static_assert(sizeof(struct allowed6_key) == 20, "no hidden padding");
_Static_assert(sizeof(struct mac_keys_value) == 100, "no hidden padding");
_Static_assert(sizeof(struct event) == 88, "no hidden padding");

#endif
