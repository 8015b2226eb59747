/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * maps.h - key and value of every BPF map. Included by bpf/ and user/. All padding is explicit and
 * zero, because the kernel compares keys byte by byte. The maps are pinned under
 * /sys/fs/bpf/wgxdp/<interface>/.
 *
 *   map         kind                 written by     read by
 *   listen      hash                 control        XDP, NIC's TC
 *   sessions    hash                 control        XDP, NIC's TC, reuseport
 *   peers       hash                 control        people
 *   peer_stats  per-CPU hash         XDP, TC        people (control creates and deletes elements)
 *   peer_auth   hash                 control        people
 *   allowed4    LPM trie             control        wg0's TC
 *   allowed6    LPM trie             control        wg0's TC
 *   mac_keys    array of one         control        XDP, NIC's TC
 *   drops       per-CPU array        XDP, TC        control
 *   passes      per-CPU array        XDP, NIC's TC  control
 *   events      ring buffer          XDP, TC        control
 *   nics        hash                 control        XDP, NIC's TC
 *   tun_writer  mmapable array       workers        wg0's TC
 *   heartbeat   mmapable array       workers        XDP, NIC's TC, reuseport
 *   xsks        XSKMAP (no BTF)      control        XDP
 *   socks       REUSEPORT_SOCKARRAY  control        reuseport
 *
 * "control" is the daemon's control thread; "people" use bpftool.
 */
#ifndef WGXDP_MAPS_H
#define WGXDP_MAPS_H

#include <linux/types.h>

#define LISTEN_MAX (1U << 16) /* local addresses; a Kubernetes node has thousands */
#define NICS_MAX 16	      /* NICs of one tunnel interface */
#define NIC_QUEUES_MAX 64     /* per NIC; frames of queues 64 and above go to the UDP socket */
#define WORKERS_MAX 64	      /* per tunnel interface, which has one queue for each worker */

/* A slot value that stands for no peer. The slots of peers are below PEERS_MAX. */
#define SLOT_NONE 0xffffffffU

/* listen: a local unicast address and the port of the daemon's UDP sockets. The value is unused.
 * IPv4 addresses are written as ::ffff:a.b.c.d. */
struct listen_key {
	__u8 address[16]; /* network order */
	__be16 port;
	__u16 zero;
};

/* sessions: the handshake or session of each receiver index that we have assigned. The key is the
 * index in host order. */
enum session_kind {
	SESSION_PENDING = 0, /* we sent an initiation; only messages of types 2 and 3 are valid */
	SESSION_DATA = 1,    /* messages of types 2, 3 and 4 are valid */
};

struct session_value {
	__u32 slot;   /* slot of the peer */
	__u16 worker; /* the worker whose UDP socket gets the session's data messages */
	__u8 kind;    /* enum session_kind */
	__u8 zero;
};

/* peers: for people who use bpftool. The key is the slot. Texts end in NUL. */
struct peer_value {
	char public_key[45]; /* base64 */
	char endpoint[64];   /* 192.0.2.1:51820 or [2001:db8::1]:51820; empty = none yet */
	char name[32];	     /* from the comment "# Name = ..." in the config file; empty = none */
	__u8 zero[3];
	__u64 latest_handshake; /* Unix time in s; 0 = never */
};

/* peer_stats counts offered packets per peer. Received: data messages for a session of the peer,
 * authentic or not. Sent: packets from the host to an allowed IP of the peer, even if they are
 * dropped later. A GSO packet counts as the number of packets that it is split into, but the bytes
 * of its headers are counted once. peer_auth counts only authentic messages, like `wg show
 * transfer`. The key of both maps is the slot. */
struct peer_stats_value {
	__u64 rx_packets;
	__u64 rx_bytes; /* UDP payload */
	__u64 tx_packets;
	__u64 tx_bytes; /* peer_stats: inner IP packets; peer_auth: UDP payload */
};

/* allowed4, allowed6: allowed IP -> slot (__u32). Addresses are in network order, host bits
 * are 0. */
struct allowed4_key {
	__u32 length; /* in bits; the first member of every LPM key */
	__u8 address[4];
};

struct allowed6_key {
	__u32 length;
	__u8 address[16];
};

/* mac_keys: the keys to check mac1 and mac2 of handshake messages, [W] 5.4.4. No program checks
 * mac2 yet, so the cookie secrets and under_load are 0. */
struct mac_keys_value {
	__u32 mac1[8];	    /* BLAKE2s state after the key block, see blake2s_midstate() */
	__u32 cookie[2][8]; /* BLAKE2s states of the current and the previous cookie secret */
	__u8 has_mac1;	    /* 0: we have no private key, so mac1 cannot be checked */
	__u8 under_load;
	__u8 zero[2];
};

/* drops: dropped packets.
 *
 * passes: packets that failed a check but passed to the stack, because the host forwards and the
 * packet may belong to a connection to which the host applies NAT. Also, as REASON_stalled, data
 * messages that passed to a UDP socket because their worker hung.
 *
 * The key of both maps is enum reason (reasons.h). */
struct drops_value {
	__u64 packets;
	__u64 bytes; /* XDP and the NIC's TC: of the frame; wg0's TC: of the IP packet */
};

/* events: samples of dropped packets, at most about EVENTS_PER_S per second for each reason. */
#define EVENTS_PER_S 10
#define EVENTS_BYTES (1U << 16) /* size of the ring; when it is full, further samples are lost */
#define EVENT_HEAD_LEN 64	/* holds the headers of IPv6, UDP and a data message */

enum event_hook {
	EVENT_XDP = 0,
	EVENT_NIC = 1,	   /* the NIC's TC ingress */
	EVENT_EGRESS = 2,  /* wg0's TC egress */
	EVENT_INGRESS = 3, /* wg0's TC ingress */
};

struct event {
	__u32 reason; /* enum reason */
	__u32 ifindex;
	__u32 bytes; /* length of the packet, measured as in struct drops_value */
	__u16 head_len;
	__u8 hook; /* enum event_hook */
	__u8 zero;
	__u8 head[EVENT_HEAD_LEN]; /* the first head_len bytes from the IP header on */
};

/* nics: the NICs to which the programs are attached. The key is the ifindex. */
struct nic_value {
	__u8 mac[6];		      /* frames to any other MAC are not ours */
	__u16 number;		      /* 0..NICS_MAX-1, see xsks_key() */
	__u8 workers[NIC_QUEUES_MAX]; /* the worker that serves each queue's socket */
};

#define XSKS_MAX (NICS_MAX * NIC_QUEUES_MAX)

/* xsks: returns the key of the AF_XDP socket for @queue of the NIC with @number. */
static inline __u32 xsks_key(__u32 number, __u32 queue)
{
	return number * NIC_QUEUES_MAX + queue;
}

/* tun_writer: the key is the number of a worker, which is also the number of its TUN queue. The
 * value is the slot of the peer whose packet the worker is writing now, or SLOT_NONE. Values are 8
 * bytes apart in the mmapped array.
 *
 * heartbeat: the key is the number of a worker. The value is the CLOCK_BOOTTIME in ns of the
 * worker's last heartbeat; 0 = the worker has not begun or has ended. A worker writes the value at
 * least every second, with or without traffic. If the value is older than HEARTBEAT_STALE_NS, the
 * worker is considered hung, and its packets go to the UDP socket of another worker. */
#define HEARTBEAT_STALE_NS 2500000000ULL

/* socks: the UDP sockets of the listen port. The IPv4 and the IPv6 sockets are two SO_REUSEPORT
 * groups. A member of a group is the daemon or a worker; socks_key() returns its key. */
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
_Static_assert(sizeof(struct event) == 80, "no hidden padding");

#endif
