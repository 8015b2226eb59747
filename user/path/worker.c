/* SPDX-License-Identifier: MIT */
/*
 * worker.c - the main loop of a worker. One turn:
 *
 *   flush commands ────▶ AF_XDP: receive chain ─▶ UDP: receive chain ─▶ TUN: send chain ─▶ sweep
 *        ▲                                                                                   │
 *        └── quiescent ◀── kick the control thread ◀─────────────────────────────────────────┘
 *                             └ if few packets moved, see must_poll(): offline, poll, online;
 *                               after one sent packet, wait for the reply first (reply_wait.h)
 *
 * A sweep returns received frames to the kernel and makes the kernel send (io/transport.h). The
 * turn after poll() leaves out the UDP sockets or the TUN device if poll() found nothing there.
 */
#include "path/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "io/netlink.h"
#include "path/chain.h"
#include "path/roaming.h"
#include "util/clock.h"
#include "wgxdp/limits.h"

#define FLUSHES_LEN 8192
/* A busy worker whose data arrives by AF_XDP reads the UDP sockets only once in this many turns of
 * its loop. */
#define UDP_EVERY_TURNS 16
/* A turn that moved fewer packets than this has usually emptied the UDP sockets and TUN queue. */
#define FEW_PACKETS 16
/* The least time between two requests for a handshake with one peer (chain_want_handshake()). */
#define WANT_INTERVAL_NS (100 * NS_PER_MS)
/* The least time between two reports to the control thread that one peer has roamed (NOTE_ROAMED),
 * so that a peer that alternates between addresses cannot occupy that thread. */
#define MOVED_INTERVAL_NS (10 * NS_PER_MS)
/* The number of packets with a source that is not allowed (NOTE_UNALLOWED) of which a worker tells
 * the control thread in a second. The worker only counts further ones. */
#define UNALLOWED_PER_S 10
/* If a turn moved no packet, but a transport still has unsent frames, the worker sleeps before the
 * next turn, which wakes the kernel again to send them. The first sleep takes at most
 * 2 * RETRY_MS. After each further turn of this kind the sleep is twice as long, up to about
 * HEARTBEAT_MS, because a NIC that is down or gone may never send the frames. */
#define RETRY_MS 1
/* How often a worker with stale keys checks whether the control thread has wiped them. */
#define WIPE_MS 2
/* A worker sleeps for at most about this time, so that it writes its heartbeat at least every
 * second. XDP passes the worker's data to the stack when the heartbeat is HEARTBEAT_STALE_NS
 * old. */
#define HEARTBEAT_MS 500

/* The worker's thread ------------------------------------------------------------------------- */

void chain_note(struct worker *w, enum note_kind kind, struct peer *p, uint32_t index,
		const struct endpoint *from)
{
	struct note n = { .kind = kind, .slot = p->slot, .serial = p->serial, .index = index };

	if (from)
		n.from = *from;
	/* If the ring is full, the note is lost and the control thread checks all peers, but this
	 * takes some time. So the next packet that starts a timer of the peer sends NOTE_WATCH
	 * again. */
	if (!handoff_note(w->config.handoff, &n) && kind == NOTE_WATCH)
		atomic_store_explicit(&p->timers.watched, false, memory_order_release);
}

/* Returns true if the stack would have accepted the source of this packet, which AF_XDP received
 * instead of the stack. Only the kernel knows its reverse-path filter, so the check costs a system
 * call, at most once per MOVED_INTERVAL_NS and peer. Returns true if the kernel cannot tell. */
static bool source_valid(struct worker *w, const struct rx_frame *f, const struct endpoint *from)
{
	__be16 port;

	if (!f->l3 || !w->netlink)
		return true;
	memcpy(&port, f->payload - 6, sizeof(port)); /* the destination port of the UDP header */
	return netlink_check_source(w->netlink, from, port) != -EXDEV;
}

void chain_note_roaming(struct worker *w, struct peer *p, const struct rx_frame *f)
{
	uint64_t last_ns = atomic_load_explicit(&p->moved_ns, memory_order_relaxed);
	struct endpoint from = frame_endpoint(f);

	/* Do not subtract, because last_ns may be later than now_ns: other workers set it, too. */
	if (last_ns && w->now_ns < last_ns + MOVED_INTERVAL_NS)
		return;
	atomic_store_explicit(&p->moved_ns, w->now_ns, memory_order_relaxed);
	if (source_valid(w, f, &from))
		roaming_tell(p, &from, w->config.handoff);
}

void chain_note_unallowed(struct worker *w, struct peer *p, const uint8_t *ip)
{
	struct endpoint source = { 0 };

	if (!atomic_load_explicit(&w->debug, memory_order_relaxed))
		return;
	if (w->unallowed_second != w->now_ns / NS_PER_S)
		w->unallowed_noted = 0;
	w->unallowed_second = w->now_ns / NS_PER_S;
	if (w->unallowed_noted++ >= UNALLOWED_PER_S)
		return;
	if (ip[0] >> 4 == 4) {
		source.remote.v4.sin_family = AF_INET;
		memcpy(&source.remote.v4.sin_addr, ip + 12, sizeof(source.remote.v4.sin_addr));
	} else {
		source.remote.v6.sin6_family = AF_INET6;
		memcpy(&source.remote.v6.sin6_addr, ip + 8, sizeof(source.remote.v6.sin6_addr));
	}
	chain_note(w, NOTE_UNALLOWED, p, 0, &source);
}

int chain_write_tun(struct worker *w, uint32_t slot, uint8_t *packet, size_t len)
{
	if (w->config.tun_writer)
		*w->config.tun_writer = slot;
	return tun_write(w->config.tun, packet, len);
}

int chain_writev_tun(struct worker *w, uint32_t slot, const struct iovec *iov, unsigned n)
{
	if (w->config.tun_writer)
		*w->config.tun_writer = slot;
	return tun_writev(w->config.tun, iov, n);
}

void chain_want_handshake(struct worker *w, struct peer *p)
{
	uint64_t last_ns = atomic_load_explicit(&p->wanted_ns, memory_order_seq_cst);

	if (last_ns && w->now_ns < last_ns + WANT_INTERVAL_NS)
		return;
	atomic_store_explicit(&p->wanted_ns, w->now_ns, memory_order_relaxed);
	chain_note(w, NOTE_WANT_HANDSHAKE, p, 0, NULL);
}

static unsigned run_flushes(struct worker *w)
{
	struct peer *peers[FRAME_BATCH];
	unsigned n = 0, peer_count = 0;
	uint32_t index;

	while (n < FRAME_BATCH && spsc_take(&w->flushes, &index)) {
		struct session *s = indextab_session(w->config.device->indices, index);

		if (s)
			peers[peer_count++] = s->peer;
		n++;
	}
	/* The keys may have been wiped since w->stale was set, and a command of worker_flush() may
	 * name a session that was made after the wipe. The control thread does not repeat the
	 * command, so check again whether the keys are stale. */
	if (w->stale && peer_count)
		w->stale = suspend_stale(w->config.suspend);
	egress_flush(w, peers, peer_count);
	return n;
}

enum { POLL_WAKE, POLL_TUN, POLL_UDP, POLL_PORTS };

static void sleep_until_ready(struct worker *w, int timeout_ms)
{
	struct pollfd fds[POLL_PORTS + WORKER_PORTS_MAX] = {
		[POLL_WAKE] = { .fd = w->wake_fd, .events = POLLIN },
		[POLL_TUN] = { .fd = w->config.tun->fd, .events = POLLIN },
		[POLL_UDP] = { .fd = w->udp->fd, .events = POLLIN },
	};
	unsigned n = POLL_PORTS + w->port_count;
	eventfd_t count;
	bool known;

	for (unsigned i = 0; i < w->port_count; i++)
		fds[POLL_PORTS + i] =
			(struct pollfd){ .fd = w->ports[i].transport->fd, .events = POLLIN };
	handoff_kick(w->config.handoff);
	qsbr_offline(w->config.qsbr, w->config.id);
	known = (w->expects_reply && reply_wait(&w->reply_wait, fds, n, POLL_UDP)) ||
		poll(fds, n, timeout_ms) >= 0;
	qsbr_online(w->config.qsbr, w->config.id);
	w->tun_ready = !known || fds[POLL_TUN].revents;
	w->udp_ready = !known || fds[POLL_UDP].revents;
	if (fds[POLL_WAKE].revents)
		eventfd_read(w->wake_fd, &count);
	/* A deleted interface reports an error at every poll() until the control thread stops this
	 * worker. Sleep a little, so that the loop does not spin. */
	if (fds[POLL_TUN].revents & (POLLERR | POLLHUP | POLLNVAL))
		poll(&fds[POLL_WAKE], 1, RETRY_MS);
}

/* Returns true if this turn did nothing but send one message, to which a reply may come. @moved:
 * the packets that the turn handled. @from_host: how many of them came from the host. A worker with
 * AF_XDP sockets does not wait for replies, because it can use busy polling, and because poll() on
 * such a socket may wake the driver each time. */
static bool may_get_reply(const struct worker *w, unsigned moved, unsigned from_host)
{
	return w->config.reply_wait && !w->port_count && moved == 1 && from_host == 1 &&
	       w->egress.packets[0].sent == 1;
}

/* Runs one turn of the loop. Returns how many packets and commands of worker_flush() it handled.
 * Sets *@retry to whether a transport has unsent frames. */
static unsigned turn(struct worker *w, unsigned number, bool *retry)
{
	static _Thread_local bool udp_hot;
	unsigned moved = run_flushes(w), from_host = 0;

	*retry = false;
	for (unsigned i = 0; i < w->port_count; i++)
		moved += ingress_run(w, w->ports[i].transport);
	if (w->udp_ready && (udp_hot || !moved || number % UDP_EVERY_TURNS == 0)) {
		unsigned n = ingress_run(w, w->udp);

		udp_hot = n > 0;
		moved += n;
	} else {
		w->udp->ops->sweep(w->udp); /* measure the send buffers, as ingress_run() does */
	}
	if (w->tun_ready)
		from_host = egress_run(w);
	moved += from_host;
	w->expects_reply = may_get_reply(w, moved, from_host);
	for (unsigned i = 0; i < w->port_count; i++) {
		w->ports[i].transport->ops->sweep(w->ports[i].transport);
		*retry |= w->ports[i].transport->unsent > 0;
	}
	w->tun_ready = w->udp_ready = true; /* unless poll() says otherwise before the next turn */
	return moved;
}

/* Reads the clocks at the start of a turn. Checks whether the keys are stale only if that is
 * possible: the host cannot have been suspended between two turns less than SUSPEND_GAP_NS apart,
 * and suspend_copies() changes when this virtual machine is reported to be restored or cloned. */
static void read_clocks(struct worker *w)
{
	uint64_t before_ns = w->now_ns, copies = suspend_copies(w->config.suspend);

	w->now_ns = clock_ns(CLOCK_BOOTTIME);
	if (w->stale || copies != w->copies || w->now_ns - before_ns >= SUSPEND_GAP_NS)
		w->stale = suspend_stale(w->config.suspend);
	w->copies = copies;
	w->held_up = false;
}

bool chain_time_passed(struct worker *w)
{
	uint64_t before_ns = w->now_ns, copies = suspend_copies(w->config.suspend);

	w->now_ns = clock_ns(CLOCK_BOOTTIME);
	w->held_up |= copies != w->copies || w->now_ns - before_ns >= SUSPEND_GAP_NS;
	if (!w->held_up)
		return false;
	w->stale = suspend_stale(w->config.suspend);
	return true;
}

/* Sleeps until the control thread wakes this worker, but for at most WIPE_MS. First takes the
 * commands of worker_flush() from their ring, because the control thread may be waiting for room in
 * the ring. No packet is sent while the keys are stale. */
static void wait_for_wipe(struct worker *w)
{
	struct pollfd wake = { .fd = w->wake_fd, .events = POLLIN };
	eventfd_t count;

	run_flushes(w);
	handoff_wake(w->config.handoff);
	qsbr_offline(w->config.qsbr, w->config.id);
	if (poll(&wake, 1, WIPE_MS) > 0)
		eventfd_read(w->wake_fd, &count);
	qsbr_online(w->config.qsbr, w->config.id);
}

/* Writes the heartbeat if it is due. Converts the time to the clock of the BPF programs, which may
 * differ from this process's CLOCK_BOOTTIME (bpf/clock.h). */
static void write_heartbeat(const struct worker *w)
{
	uint64_t now_ns = w->now_ns + (uint64_t)w->config.heartbeat_ahead_ns;

	if (w->config.heartbeat && now_ns - *w->config.heartbeat > HEARTBEAT_MS * NS_PER_MS / 2)
		*w->config.heartbeat = now_ns;
}

static void count_turn(struct worker *w)
{
	uint64_t turns = atomic_load_explicit(&w->turns, memory_order_relaxed);

	atomic_store_explicit(&w->turns, turns + 1, memory_order_relaxed);
}

/* Returns true if the worker must call poll() before its next turn. A turn that moved few packets
 * has usually emptied the UDP sockets and the TUN queue (unless the packets were large: a few of
 * them fill a turn). Another turn right away would probably cost three system calls and find
 * nothing. A worker with AF_XDP sockets runs another turn anyway, because a look at their rings
 * needs no system call. With busy polling, the worker calls poll() only when no packet has moved
 * for busy_poll_ns. */
static bool must_poll(struct worker *w, unsigned moved)
{
	if (moved)
		w->poll_until_ns = w->now_ns + w->busy_poll_ns;
	if (w->now_ns < w->poll_until_ns)
		return false;
	return !moved || (!w->port_count && moved < FEW_PACKETS);
}

static void *thread_main(void *arg)
{
	struct worker *w = arg;
	int retry_ms = RETRY_MS;
	unsigned moved;
	bool retry;

	w->tun_ready = w->udp_ready = true;
	w->stale = true; /* until read_clocks() has compared the clocks */
	qsbr_online(w->config.qsbr, w->config.id);
	for (unsigned number = 0; !atomic_load_explicit(&w->stop, memory_order_acquire); number++) {
		read_clocks(w);
		count_turn(w);
		write_heartbeat(w);
		if (w->stale) {
			wait_for_wipe(w);
			continue;
		}
		moved = turn(w, number, &retry);
		if (moved || !retry)
			retry_ms = RETRY_MS;
		if (must_poll(w, moved)) {
			if (retry)
				retry_ms = retry_ms < HEARTBEAT_MS ? retry_ms * 2 : HEARTBEAT_MS;
			sleep_until_ready(w, retry		   ? retry_ms
					     : w->config.heartbeat ? HEARTBEAT_MS
								   : -1);
		}
		handoff_kick(w->config.handoff);
		qsbr_quiescent(w->config.qsbr, w->config.id);
	}
	if (w->config.heartbeat)
		*w->config.heartbeat = 0;
	qsbr_offline(w->config.qsbr, w->config.id);
	return NULL;
}

/* The control thread -------------------------------------------------------------------------- */

int worker_new(struct worker **out, const struct worker_config *config)
{
	struct worker *w = aligned_alloc(64, (sizeof(*w) + 63) & ~(size_t)63);
	int err;

	if (!w)
		return -ENOMEM;
	memset(w, 0, sizeof(*w));
	w->config = *config;
	w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	err = w->wake_fd < 0 ? -errno : 0;
	w->offloads = config->offloads;
	w->netlink = netlink_open();
	if (!err && !w->netlink)
		err = -errno;
	w->egress.buffer = malloc(EGRESS_BUFFER_LEN + EGRESS_PACKET_MAX);
	w->egress.scratch = w->egress.buffer + EGRESS_BUFFER_LEN;
	w->egress.lanes = calloc(WORKER_PORTS_MAX, sizeof(*w->egress.lanes));
	if (!w->egress.buffer || !w->egress.lanes ||
	    !spsc_init(&w->flushes, FLUSHES_LEN, sizeof(uint32_t)))
		err = -ENOMEM;
	if (err) {
		worker_free(w);
		return err;
	}
	*out = w;
	return 0;
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	worker_stop(w);
	if (w->wake_fd >= 0)
		close(w->wake_fd);
	netlink_close(w->netlink);
	spsc_done(&w->flushes);
	free(w->egress.lanes);
	free(w->egress.buffer);
	free(w);
}

int worker_add_port(struct worker *w, struct transport *transport, bool tx)
{
	if (w->port_count == WORKER_PORTS_MAX)
		return -ENOSPC;
	w->egress.lanes[w->port_count].transport = transport;
	w->ports[w->port_count++] = (struct port){ .transport = transport, .tx = tx };
	if (w->busy_poll_ns < transport->busy_poll_ns)
		w->busy_poll_ns = transport->busy_poll_ns;
	return 0;
}

void worker_drop_ports(struct worker *w)
{
	w->port_count = 0;
	w->busy_poll_ns = 0;
}

void worker_set_udp(struct worker *w, struct transport *udp)
{
	w->udp = udp;
	w->egress.udp.transport = udp;
}

void worker_set_mtu(struct worker *w, uint32_t mtu)
{
	atomic_store_explicit(&w->mtu, mtu, memory_order_relaxed);
}

void worker_set_debug(struct worker *w, bool on)
{
	atomic_store_explicit(&w->debug, on, memory_order_relaxed);
}

void worker_set_route_mtus(struct worker *w, const struct route_mtu *table)
{
	atomic_store_explicit(&w->route_mtus, table, memory_order_release);
}

int worker_start(struct worker *w)
{
	sigset_t all, before;
	cpu_set_t cpus;
	char name[16];
	int err;

	if (w->running)
		return 0;
	atomic_store_explicit(&w->stop, false, memory_order_release);
	w->probed_turns = TURNS_UNKNOWN;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* the control thread handles all signals */
	err = pthread_create(&w->thread, NULL, thread_main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		return -err;
	snprintf(name, sizeof(name), "wgxdp/%u", w->config.id);
	pthread_setname_np(w->thread, name);
	if (w->config.cpu >= 0) {
		CPU_ZERO(&cpus);
		CPU_SET((unsigned)w->config.cpu, &cpus);
		err = pthread_setaffinity_np(w->thread, sizeof(cpus), &cpus);
	}
	w->running = true;
	if (err)
		worker_stop(w);
	return -err;
}

void worker_stop(struct worker *w)
{
	if (!w->running)
		return;
	atomic_store_explicit(&w->stop, true, memory_order_release);
	eventfd_write(w->wake_fd, 1);
	pthread_join(w->thread, NULL);
	w->running = false;
}

bool worker_probe(struct worker *w)
{
	uint64_t turns = atomic_load_explicit(&w->turns, memory_order_relaxed);
	bool ran = turns != w->probed_turns;

	if (!w->running)
		return true;
	w->probed_turns = turns;
	eventfd_write(w->wake_fd, 1);
	return ran;
}

void worker_flush(struct worker *w, uint32_t index)
{
	if (!w->running)
		return;
	/* This loop ends, because the worker is woken and takes commands from the ring in each
	 * turn. */
	while (!spsc_put(&w->flushes, &index)) {
		eventfd_write(w->wake_fd, 1);
		sched_yield();
	}
	eventfd_write(w->wake_fd, 1);
}

void worker_drops(const struct worker *w, uint64_t packets[static REASON_COUNT])
{
	for (unsigned i = 0; i < REASON_COUNT; i++)
		packets[i] = atomic_load_explicit(&w->drops[i], memory_order_relaxed);
}
