/* SPDX-License-Identifier: MIT */
/*
 * chain.h - what the worker's thread and its two chains share; private to path/.
 *
 *   worker.c   the loop, its wakeups, the control thread's side
 *   ingress.c  lookup_sessions -> compare_endpoints -> open -> accept_counters -> note_arrivals -> check_sources -> write_tun
 *   egress.c   read_tun -> choose_peers -> choose_sessions -> take_counters -> place -> seal -> transmit
 *
 * Each step works on a whole batch and marks a packet dead by giving it a reason.
 */
#ifndef WGXDP_CHAIN_H
#define WGXDP_CHAIN_H

#include <pthread.h>

#include "crypto/aead.h"
#include "io/encap.h"
#include "path/spsc.h"
#include "path/worker.h"
#include "wgxdp/limits.h"
#include "wgxdp/maps.h"

/* A data message on its way in. */
struct in_packet {
	const struct rx_frame *frame;
	struct session *session;
	uint64_t counter;
	uint32_t len; /* of the plaintext, later of the IP packet without padding; 0 = keepalive */
	bool moved; /* it came from elsewhere than its peer's endpoint, with a header to be believed */
	enum reason reason;
};

struct ingress {
	struct rx_frame frames[FRAME_BATCH];
	struct in_packet packets[FRAME_BATCH];
	struct aead_job jobs[FRAME_BATCH];
};

/* An inner packet on its way out. */
struct out_packet {
	uint8_t *data;
	uint32_t len;
	uint32_t padded;
	struct peer *peer;
	struct session *session; /* NULL: it waits, or is dead */
	const struct encap *encap;
	uint64_t counter;
	struct tx_frame *frame;
	enum reason reason;
};

/* Frames that leave by one path in this batch. */
struct lane {
	struct transport *path;
	unsigned count;
	struct tx_frame frames[FRAME_BATCH];
};

struct egress {
	uint8_t *buffers; /* FRAME_BATCH of EGRESS_BUFFER_LEN; what tun_read fills */
	struct out_packet packets[FRAME_BATCH];
	/* the same for packets that waited for a session, of any peers: egress_flush() */
	struct out_packet waiting[FRAME_BATCH];
	struct staged *staged[FRAME_BATCH]; /* what each of them is in; ours */
	unsigned waiting_count;
	bool flushing;
	struct encap moved[FRAME_BATCH], moved_waiting[FRAME_BATCH]; /* of peers that just moved */
	struct aead_job jobs[FRAME_BATCH];
	struct lane udp;
	struct lane *lanes; /* of the ports with tx, beside their places in worker.ports */
};

#define EGRESS_BUFFER_LEN (65536 + WIRE_PADDING)

struct port {
	struct transport *path;
	bool tx;
};

/* ICMP errors: a bucket of ICMP_BURST, filled by one every ICMP_INTERVAL_NS. */
#define ICMP_BURST 50
#define ICMP_INTERVAL_NS (NS_PER_S / 100)

struct icmp_budget {
	uint64_t full_at_ns; /* when the bucket is, or will be, full */
};

struct worker {
	struct worker_config config;
	struct port ports[WORKER_PORTS_MAX];
	unsigned port_count;
	struct transport *udp;
	uint64_t now_ns; /* BOOTTIME, read once a turn, and before what was sealed is sent */
	uint64_t copies; /* suspend_copies() at the beginning of the turn */
	bool stale;	 /* suspend_stale(): nothing may be sealed */
	bool held_up;	 /* time has passed in this turn: see chain_time_passed() */
	struct icmp_budget icmp;
	uint64_t unallowed_second; /* of BOOTTIME, when packets were last noted ... */
	unsigned unallowed_noted;  /* ... and how many in it */
	struct ingress ingress;
	struct egress egress;
	_Atomic uint32_t mtu;
	_Atomic bool debug;
	_Atomic(const struct route_mtu *) route_mtus; /* NULL = no route has one */
	_Atomic uint64_t drops[REASON_COUNT];	      /* single writer: the thread */
	/* from the control thread */
	struct spsc flushes; /* receiver indices */
	int wake_fd;
	_Atomic bool stop;
	pthread_t thread;
	bool running;
};

/* One batch each. Return how many packets they moved; 0 = nothing to do. */
unsigned ingress_run(struct worker *w, struct transport *path);
unsigned egress_run(struct worker *w);

/* Seals and sends what waits for the @n peers, each one's in order, if it has a session: together, in
 * batches that know no peers. */
void egress_flush(struct worker *w, struct peer *const *peers, unsigned n);

/* Writes an IP packet into the tunnel interface on behalf of the peer in @slot, or of ourselves
 * (SLOT_LOCAL): TC looks there in the same moment. TUN_VNET_LEN bytes before it are overwritten. */
int chain_set_tun_writer(struct worker *w, uint32_t slot, uint8_t *packet, size_t len);

/* Counts a packet that ends here. */
static inline void chain_drop(struct worker *w, enum reason reason, uint64_t packets)
{
	atomic_fetch_add_explicit(&w->drops[reason], packets, memory_order_relaxed);
}

/* Tells the control thread; a note that does not fit is made again by the next packet. */
void chain_note(struct worker *w, enum note_kind kind, struct peer *p, uint32_t index,
		const struct endpoint *from);

/* Looks at the clocks again. True if so much time has passed in this turn that what was sealed in it may
 * no longer be sent: session_usable() knows better now. From then on to the end of the turn, since a
 * flush looks, too, and batches whose sessions were chosen before it leave after it. */
bool chain_time_passed(struct worker *w);

/* NOTE_MOVED, but for one peer not more often than every MOVED_INTERVAL_NS: a later packet says it. */
void chain_moved(struct worker *w, struct peer *p, const struct endpoint *to);

/* NOTE_UNALLOWED, while debugging is on: @p sent the IP packet that begins at @ip. */
void chain_unallowed(struct worker *w, struct peer *p, const uint8_t *ip);

/* NOTE_WANT_HANDSHAKE, but for one peer not more often than every WANT_INTERVAL_NS. */
void chain_want_handshake(struct worker *w, struct peer *p);

#endif
