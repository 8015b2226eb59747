/* SPDX-License-Identifier: MIT */
/*
 * chain.h - shared by the worker's loop (worker.c) and its two chains (ingress.c; egress.c and
 * seal.c); private to path/. README.md has a diagram. Each step of a chain works on a whole
 * batch. A step drops a packet by giving it a reason. The packet is counted once: by that step, or
 * at the end of the chain. The functions named chain_ are in worker.c.
 */
#ifndef WGXDP_CHAIN_H
#define WGXDP_CHAIN_H

#include <pthread.h>

#include "crypto/aead.h"
#include "io/encap.h"
#include "path/fair_share.h"
#include "path/gro.h"
#include "path/gso.h"
#include "path/reply_wait.h"
#include "path/spsc.h"
#include "path/worker.h"
#include "wgxdp/limits.h"
#include "wgxdp/maps.h"

/* A received data message. */
struct in_packet {
	const struct rx_frame *frame;
	struct session *session;
	const struct peer *holder; /* the peer that may use the packet's inner source address */
	uint64_t counter;
	uint32_t index; /* receiver index */
	/* Length of the plaintext; 0 = keepalive. check_sources() changes it to the length of the
	 * IP packet, without the padding. */
	uint32_t len;
	bool roamed; /* the outer source is a new endpoint, and the outer checksums are right */
	enum reason reason;
};

struct ingress {
	struct rx_frame frames[FRAME_BATCH];
	struct in_packet packets[FRAME_BATCH];
	struct aead_job jobs[FRAME_BATCH];
	struct gro gro;
	struct gro_head head;
	struct iovec iov[GRO_IOV_MAX];
};

/* An inner packet from the host. It becomes one message, or one for each segment (gso.h). */
struct out_packet {
	uint8_t *data;
	struct gso gso;
	struct peer *peer;
	struct session *session; /* NULL = the packet is staged (waits for a session) or dropped */
	const struct encap *encap;
	uint64_t counter; /* counter of the packet's first message */
	unsigned sent;	  /* number of its messages that were sent */
	uint64_t bytes;	  /* UDP payload of the messages that were sent */
	bool staged;	  /* the packet or some of its segments were staged */
	enum reason reason;
};

/* A message to be sealed and sent. */
struct out_message {
	struct out_packet *packet;
	uint32_t segment; /* number of the segment within its packet */
	struct tx_frame *frame;
};

/* The frames of this batch that one transport sends. */
struct lane {
	struct transport *transport;
	unsigned count;
	struct tx_frame frames[FRAME_BATCH];
	struct fair_share share; /* how many of the recent messages went to each peer */
};

struct egress {
	uint8_t *buffer;  /* EGRESS_BUFFER_LEN bytes; the data of packets[], one after the other */
	uint8_t *scratch; /* EGRESS_PACKET_MAX bytes; a segment that is about to be staged */
	struct out_packet packets[FRAME_BATCH];
	/* A batch of staged packets, possibly of several peers, see egress_flush(). */
	struct out_packet gathered[FRAME_BATCH];
	struct staged *staged[FRAME_BATCH]; /* the packets whose data gathered[] uses */
	unsigned gathered_count;
	/* roamed[i]: the encap for packets[i] if its peer has just roamed. roamed_gathered[i]: the
	 * same for gathered[i]. */
	struct encap roamed[FRAME_BATCH], roamed_gathered[FRAME_BATCH];
	struct out_message messages[FRAME_BATCH];
	unsigned message_count;
	struct aead_job jobs[FRAME_BATCH];
	struct lane udp;
	struct lane *lanes; /* lanes[i] is for worker.ports[i]; unused if ports[i].tx is false */
};

/* The largest packet that the host sends into the tunnel, and the size of the buffer for the
 * packets that are read and sent together. In a larger buffer, they would leave the cache before
 * they are sent (docs/performance.md). */
#define EGRESS_PACKET_MAX 65536
#define EGRESS_BUFFER_LEN (3 * (EGRESS_PACKET_MAX + 64))

struct port {
	struct transport *transport;
	bool tx;
};

/* A token bucket limits ICMP errors: it holds at most ICMP_BURST tokens, and gains a token every
 * ICMP_INTERVAL_NS. */
#define ICMP_BURST 50
#define ICMP_INTERVAL_NS (NS_PER_S / 100)

struct icmp_budget {
	uint64_t full_at_ns; /* BOOTTIME at which the bucket became full or will be full */
};

#define TURNS_UNKNOWN UINT64_MAX

struct netlink;

struct worker {
	struct worker_config config;
	struct port ports[WORKER_PORTS_MAX];
	unsigned port_count;
	uint64_t busy_poll_ns;	/* the longest busy_poll_ns of all ports */
	uint64_t poll_until_ns; /* BOOTTIME until which the worker does not sleep */
	bool expects_reply;	/* this turn of the loop only sent one message: wait for a reply */
	struct reply_wait reply_wait;
	struct transport *udp;
	uint64_t now_ns; /* BOOTTIME, read once a turn and again between sealing and sending */
	/* what suspend_copies() returned at the start of this turn of the loop: how often a restore
	 * or clone of the virtual machine was reported */
	uint64_t copies;
	bool stale;	/* result of suspend_stale(); if true, nothing may be sealed */
	bool held_up;	/* this turn of the loop was interrupted: see chain_time_passed() */
	bool tun_ready; /* false: poll() has just found no packet in the TUN device */
	bool udp_ready; /* the same for the UDP sockets */
	struct worker_offloads offloads; /* config.offloads without those that the kernel refused */
	struct netlink *netlink;	 /* used by source_valid(); NULL = accept all sources */
	struct icmp_budget icmp;
	uint64_t unallowed_second; /* BOOTTIME, in s, of the last packet from an unallowed source */
	unsigned unallowed_noted;  /* number of such packets in that second */
	struct ingress ingress;
	struct egress egress;
	_Atomic uint32_t mtu;
	_Atomic bool debug;
	_Atomic(const struct route_mtu *) route_mtus; /* NULL = no route has an MTU */
	_Atomic uint64_t drops[REASON_COUNT];	      /* single writer: the worker's thread */
	struct spsc flushes; /* session indices of peers to flush; written by the control thread */
	int wake_fd;
	_Atomic bool stop;
	pthread_t thread;
	bool running;
	_Atomic uint64_t turns; /* turns of the loop; written only by the worker's thread */
	uint64_t probed_turns;	/* value of @turns at the last worker_probe(), or TURNS_UNKNOWN */
};

/* ingress_run() handles one batch. egress_run() handles up to three portions, but no further
 * portion after FRAME_BATCH messages. Both return the number of packets. */
unsigned ingress_run(struct worker *w, struct transport *transport);
unsigned egress_run(struct worker *w);

/* Seals and sends the staged packets of @n peers. The packets of each peer leave in the order in
 * which they were staged. Requests a handshake with each peer that has no session; its packets stay
 * staged. A batch may hold packets of several peers. */
void egress_flush(struct worker *w, struct peer *const *peers, unsigned n);

/* seal.c: seals and sends those of the @n packets that have a session, a batch of messages at a
 * time. A packet or segment that cannot be sent, because its session has too few counters left or
 * has expired, is staged instead. Counts the packets that have a drop reason. */
void seal_and_send(struct worker *w, struct out_packet *packets, unsigned n);

/* Returns true if @s may be used for sealing now; false if @s is NULL. */
bool seal_session_usable(const struct worker *w, const struct session *s);

/* Copies the packet into its peer's stage, the queue of packets that wait for a session. The caller
 * then flushes that queue or asks for a handshake.
 *
 * The control thread may publish a session at the same time. stage_push() changes the count of the
 * stage, and the control thread changes peer->current, both with sequential consistency. So at
 * least one of the two sees the change of the other: the caller sees the new session, or the
 * control thread sees the packet and sends a flush command. */
void seal_stage_packet(struct worker *w, struct out_packet *p);

/* Writes an IP packet that came from the peer in @slot into the tunnel interface. Stores @slot in
 * the BPF map "tun_writer" first, because the TC program reads the map during the write. The
 * TUN_VNET_LEN bytes before the packet are overwritten. Returns 0 or -errno. */
int chain_write_tun(struct worker *w, uint32_t slot, uint8_t *packet, size_t len);

/* Writes a merged packet, whose parts came from the peer in @slot, into the tunnel interface. The
 * first of the @n elements of @iov begins with the vnet header. Returns 0 or -errno. */
int chain_writev_tun(struct worker *w, uint32_t slot, const struct iovec *iov, unsigned n);

/* Counts dropped packets. */
static inline void chain_drop(struct worker *w, enum reason reason, uint64_t packets)
{
	atomic_fetch_add_explicit(&w->drops[reason], packets, memory_order_relaxed);
}

/* Sends a note to the control thread. @from may be NULL. If the ring is full, the note is lost, and
 * the control thread checks all peers (handoff_notes_lost()). */
void chain_note(struct worker *w, enum note_kind kind, struct peer *p, uint32_t index,
		const struct endpoint *from);

/* Reads the clock again. Returns true if the sessions that this turn of the loop has chosen must be
 * checked again before anything is sent, because the turn was interrupted for long, or a restore or
 * clone was reported. Every later call in the same turn then returns true, too, because the
 * sessions of several batches of messages may have been chosen before the interruption. */
bool chain_time_passed(struct worker *w);

/* The authenticated packet in @f came from a new endpoint: tells the other workers and the control
 * thread to use that endpoint. Does nothing if AF_XDP received the packet and the stack would have
 * refused it, for example because of the reverse-path filter. Acts at most once per
 * MOVED_INTERVAL_NS and peer; a later packet tries again. */
void chain_note_roaming(struct worker *w, struct peer *p, const struct rx_frame *f);

/* While debugging is on, sends NOTE_UNALLOWED: @p sent the IP packet at @ip, whose source is not an
 * allowed IP of @p. */
void chain_note_unallowed(struct worker *w, struct peer *p, const uint8_t *ip);

/* Sends NOTE_WANT_HANDSHAKE, at most once per WANT_INTERVAL_NS and peer. */
void chain_want_handshake(struct worker *w, struct peer *p);

#endif
