/* SPDX-License-Identifier: MIT */
/*
 * afxdp.c - one AF_XDP socket on one queue, its UMEM and its four rings.
 *
 * The UMEM is divided into chunks. The first rx_frames of them only receive and the others only
 * send, so that a burst of sending cannot starve receiving. Each chunk is in exactly one place at
 * a time:
 *
 *      receiving                                  sending
 *
 *      ┌──▶ fill ring ──▶ kernel ──┐              ┌──▶ tx ring ──▶ kernel ──┐
 *      │     (we → K)              ▼              │     (we → K)            ▼
 *    sweep()                    rx ring         send()                completion ring
 *      │                       (K → we)           │                     (K → we)
 *      └── lent[] ◀── recv() ──────┘            worker ◀─ alloc() ─ idle[] ◀─ reap()
 *
 *   fill        chunks that the kernel may fill; while the ring is empty, the kernel drops packets
 *   rx          chunks that the kernel has filled with received frames
 *   lent[]      chunks that recv() gave to the worker, which decrypts the frames in place; sweep()
 *               takes them back in the same turn of the loop
 *   idle[]      free tx chunks; the last one freed is used first, because it is still in the cache
 *   tx          complete frames to be sent; the kernel reads them when sweep() wakes it
 *   completion  chunks that were sent; in copy mode the kernel stops sending while the ring is full
 *
 * Each ring has room for all chunks that can be in it, and yet a producer may find it full, because
 * the kernel publishes its consumer index only after the chunk has appeared in the other ring. So
 * refill() keeps the chunks that do not fit, and send() drops frames that do not fit.
 *
 * Multi-buffer frames (XDP_USE_SG) are not used. The kernel drops a frame that does not fit a
 * chunk minus 256 bytes of kernel headroom, and counts it as rx_dropped.
 */
#include "io/afxdp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_xdp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <xdp/xsk.h>

#include "io/decap.h"
#include "io/encap.h"
#include "wgxdp/limits.h"

#define FRAMES_DEFAULT 4096
#define PROBE_FRAMES 64
#define KERNEL_HEADROOM 256 /* XDP_PACKET_HEADROOM, taken from each chunk */
#define LINK_HEADER_MAX 18  /* Ethernet and one VLAN tag */

/* The kernel releases the queue of a closed socket later: 16 to 29 ms were measured. */
#define BIND_PATIENCE_MS 1000
#define BIND_PAUSE_MS 10

_Static_assert(ENCAP_HEADER_MAX <= FRAME_HEADROOM, "headers go before the payload");

struct afxdp {
	struct transport transport;
	/* hot: used each turn of the loop */
	struct xsk_ring_cons rx, completion;
	struct xsk_ring_prod fill, tx;
	uint8_t *area;
	uint32_t chunk;	    /* bytes, a power of two */
	uint32_t frame_max; /* the largest frame that the NIC sends, with Ethernet header */
	uint32_t lent_count, idle_count;
	uint64_t *lent, *idle; /* addresses of chunks */
	uint16_t ip_id;
	bool zero_copy;
	/* cold: setup only */
	uint32_t rx_frames, tx_frames;
	struct xsk_umem *umem;
	struct xsk_socket *socket;
};

static struct afxdp *self(const struct transport *o)
{
	return (struct afxdp *)o; /* its first member */
}

static uint64_t chunk_of(const struct afxdp *a, uint64_t addr)
{
	return addr & ~(uint64_t)(a->chunk - 1);
}

static size_t area_bytes(const struct afxdp *a)
{
	return (size_t)(a->rx_frames + a->tx_frames) * a->chunk;
}

/* ---- receiving ---- */

static unsigned recv_frames(struct transport *o, struct rx_frame *frames, unsigned max)
{
	struct afxdp *a = self(o);
	unsigned n = 0, data = 0, malformed = 0;
	uint32_t idx, count;

	count = xsk_ring_cons__peek(&a->rx, max, &idx);
	for (uint32_t i = 0; i < count; i++) {
		const struct xdp_desc *d = xsk_ring_cons__rx_desc(&a->rx, idx + i);

		a->lent[a->lent_count++] = chunk_of(a, d->addr);
		if (!decap_parse(xsk_umem__get_data(a->area, d->addr), d->len, &frames[n])) {
			malformed++;
			continue;
		}
		frames[n].ifindex = o->layer3;
		data += transport_is_data(frames[n].payload, frames[n].len);
		n++;
	}
	if (count)
		xsk_ring_cons__release(&a->rx, count);
	transport_count(&o->stats.rx_packets, data);
	transport_count(&o->stats.rx_malformed, malformed);
	return n;
}

/* Moves the chunks in lent[] to the fill ring, the newest first, because these are still in the
 * cache. */
static void refill(struct afxdp *a)
{
	uint32_t n = xsk_prod_nb_free(&a->fill, a->lent_count), idx;

	if (n > a->lent_count)
		n = a->lent_count;
	if (!n || xsk_ring_prod__reserve(&a->fill, n, &idx) != n)
		return;
	for (uint32_t i = 0; i < n; i++)
		*xsk_ring_prod__fill_addr(&a->fill, idx + i) = a->lent[--a->lent_count];
	xsk_ring_prod__submit(&a->fill, n);
}

/* ---- sending ---- */

static void reap(struct afxdp *a)
{
	uint32_t idx, n = xsk_ring_cons__peek(&a->completion, a->tx_frames, &idx);

	for (uint32_t i = 0; i < n; i++)
		a->idle[a->idle_count++] =
			chunk_of(a, *xsk_ring_cons__comp_addr(&a->completion, idx + i));
	if (n)
		xsk_ring_cons__release(&a->completion, n);
}

static unsigned alloc_frames(struct transport *o, struct tx_frame *frames, unsigned n, uint32_t len)
{
	struct afxdp *a = self(o);

	if (len > a->chunk - FRAME_HEADROOM)
		return 0;
	if (a->idle_count < n)
		reap(a);
	if (n > a->idle_count)
		n = a->idle_count;
	for (unsigned i = 0; i < n; i++) {
		uint64_t addr = a->idle[--a->idle_count];

		frames[i] = (struct tx_frame){
			.payload = a->area + addr + FRAME_HEADROOM,
			.room = a->chunk - FRAME_HEADROOM,
			.handle = addr,
		};
	}
	return n;
}

/* Can @f be sent by this NIC without fragmenting? */
static bool sendable(const struct afxdp *a, const struct tx_frame *f)
{
	return f->encap && f->encap->xsk_ok && f->encap->ifindex == a->transport.ifindex &&
	       f->len <= f->room && f->encap->header_len + f->len <= a->frame_max;
}

static unsigned send_frames(struct transport *o, struct tx_frame *frames, unsigned n)
{
	struct afxdp *a = self(o);
	unsigned sent = 0, data = 0, refused = 0;
	struct xdp_desc *d;
	uint32_t idx;

	for (unsigned i = 0; i < n; i++) {
		struct tx_frame *f = &frames[i];

		if (!f->len || !sendable(a, f) || !xsk_ring_prod__reserve(&a->tx, 1, &idx)) {
			refused += f->len != 0;
			f->len = 0;
			a->idle[a->idle_count++] = f->handle;
			continue;
		}
		encap_write(f->encap, f->payload, f->len, a->ip_id++, f->tclass);
		d = xsk_ring_prod__tx_desc(&a->tx, idx);
		d->addr = f->handle + FRAME_HEADROOM - f->encap->header_len;
		d->len = f->encap->header_len + f->len;
		d->options = 0;
		data += transport_is_data(f->payload, f->len);
		sent++;
	}
	if (sent)
		xsk_ring_prod__submit(&a->tx, sent);
	transport_count(&o->stats.tx_packets, data);
	transport_count(&o->stats.tx_refused, refused);
	return sent;
}

/* Returns the number of descriptors on the tx ring that the kernel has not consumed. */
static uint32_t unsent(const struct afxdp *a)
{
	return a->tx.cached_prod - __atomic_load_n(a->tx.consumer, __ATOMIC_ACQUIRE);
}

/*
 * Makes the kernel send the frames on the tx ring. In zero-copy mode one call wakes the driver. In
 * copy mode sendto() sends up to 32 frames per call, so it is repeated until the ring is empty or
 * a call makes no progress. The errors of sendto() mean:
 *   EAGAIN   32 frames were sent, or the completion ring is full, or the device is busy. If the
 *            call made no progress, the remaining frames are sent by the next sweep. ENOBUFS,
 *            ENETDOWN and ENXIO are handled in the same way.
 *   EBUSY    The device dropped one frame, which is completed. This is progress, although the
 *            consumer index may not show it.
 * Each repetition takes at least one frame off the ring, so the loop ends.
 */
static void wake_tx(struct afxdp *a)
{
	uint32_t left = unsent(a), before;
	int fd = a->transport.fd;
	bool dropped;

	for (uint32_t turns = left; turns && left && xsk_ring_prod__needs_wakeup(&a->tx); turns--) {
		dropped = sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno == EBUSY &&
			  !a->zero_copy;
		if (dropped)
			transport_count(&a->transport.stats.tx_dropped, 1);
		before = left;
		left = unsent(a);
		if (a->zero_copy || (left == before && !dropped))
			break;
	}
	a->transport.unsent = left;
}

static void sweep(struct transport *o)
{
	struct afxdp *a = self(o);

	if (a->lent_count)
		refill(a);
	if (xsk_ring_prod__needs_wakeup(&a->fill))
		(void)!recvfrom(o->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
	wake_tx(a);
	reap(a);
	atomic_store_explicit(&o->stats.tx_in_flight, a->tx_frames - a->idle_count,
			      memory_order_relaxed);
}

/* ---- setup ---- */

/* Deletes the socket, then the UMEM. They share a descriptor, which the second call closes. */
static void close_socket(struct afxdp *a)
{
	if (a->socket)
		xsk_socket__delete(a->socket);
	if (a->umem)
		xsk_umem__delete(a->umem);
	a->socket = NULL;
	a->umem = NULL;
}

static void deinit(struct transport *o)
{
	struct afxdp *a = self(o);

	close_socket(a);
	if (a->area)
		munmap(a->area, area_bytes(a));
	free(a->lent);
	free(a->idle);
	free(a);
}

static const struct transport_ops afxdp_ops = {
	.name = "xdp",
	.deinit = deinit,
	.recv = recv_frames,
	.alloc = alloc_frames,
	.send = send_frames,
	.sweep = sweep,
};

/* Puts every rx chunk into the fill ring and every tx chunk into idle[]. */
static void deal_chunks(struct afxdp *a)
{
	a->lent_count = a->idle_count = 0;
	for (uint32_t i = 0; i < a->rx_frames; i++)
		a->lent[a->lent_count++] = (uint64_t)i * a->chunk;
	for (uint32_t i = 0; i < a->tx_frames; i++)
		a->idle[a->idle_count++] = (uint64_t)(a->rx_frames + i) * a->chunk;
	refill(a);
}

static int open_socket(struct afxdp *a, const struct afxdp_config *config)
{
	const struct xsk_umem_config umem = {
		.fill_size = a->rx_frames,
		.comp_size = a->tx_frames,
		.frame_size = a->chunk,
	};
	struct xsk_socket_config socket = {
		.rx_size = a->rx_frames,
		.tx_size = a->tx_frames,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_USE_NEED_WAKEUP,
	};
	int err;

	if (config->zero_copy == AFXDP_ZC_ON)
		socket.bind_flags |= XDP_ZEROCOPY;
	else if (config->zero_copy == AFXDP_ZC_OFF || config->generic)
		socket.bind_flags |= XDP_COPY;

	/* Clear members that a previous try has set, because libxdp sets only some of them. */
	memset(&a->rx, 0, sizeof(a->rx));
	memset(&a->tx, 0, sizeof(a->tx));
	memset(&a->fill, 0, sizeof(a->fill));
	memset(&a->completion, 0, sizeof(a->completion));
	err = xsk_umem__create(&a->umem, a->area, area_bytes(a), &a->fill, &a->completion, &umem);
	if (err)
		return err;
	deal_chunks(a);
	err = xsk_socket__create(&a->socket, config->nic, config->queue, a->umem, &a->rx, &a->tx,
				 &socket);
	if (err)
		close_socket(a);
	return err;
}

static int open_patiently(struct afxdp *a, const struct afxdp_config *config)
{
	const struct timespec pause = { .tv_nsec = BIND_PAUSE_MS * NS_PER_MS };
	int err = open_socket(a, config);

	for (int waited = 0; err == -EBUSY && waited < BIND_PATIENCE_MS; waited += BIND_PAUSE_MS) {
		nanosleep(&pause, NULL);
		err = open_socket(a, config);
	}
	return err;
}

static int explain(int err, const struct afxdp_config *config, struct fault *f)
{
	static const struct {
		int err;
		const char *why;
	} table[] = {
		{ -EBUSY, "another AF_XDP socket has it; stop its owner, or use --rx udp" },
		{ -EPERM,
		  "not permitted to open an AF_XDP socket; run as root or with CAP_NET_RAW" },
		{ -ENOBUFS, "its frames exceed the limit of locked memory; raise `ulimit -l`, or "
			    "add CAP_IPC_LOCK" },
		{ -EAFNOSUPPORT, "this kernel has no AF_XDP sockets; use --rx udp --tx udp" },
		{ -EINVAL, "the NIC has no such queue; see `ethtool -l`" },
	};
	const char *why = strerror(-err);

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (err == table[i].err)
			why = table[i].why;
	if (config->zero_copy == AFXDP_ZC_ON && (err == -EINVAL || err == -EOPNOTSUPP)) {
		err = -EOPNOTSUPP;
		why = "its driver has no zero-copy for AF_XDP; use --zero-copy auto";
	}
	return fault(f, err, "%s queue %u: %s", config->nic, config->queue, why);
}

/* Applies optional settings and reads back whether the kernel chose zero-copy. */
static void tune(struct afxdp *a)
{
	int fd = xsk_socket__fd(a->socket);
	/* In copy mode each frame becomes an skb that is charged to the socket. The default send
	 * buffer of 208 KiB has room for about 90 skbs. Make it large enough that only the
	 * completion ring limits the number of frames. */
	int sndbuf = (int)(a->tx_frames * 2 * a->chunk);
	struct xdp_options options = { 0 };
	socklen_t len = sizeof(options);

	fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &sndbuf, sizeof(sndbuf)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	if (!getsockopt(fd, SOL_XDP, XDP_OPTIONS, &options, &len))
		a->zero_copy = options.flags & XDP_OPTIONS_ZEROCOPY;
	a->transport.fd = fd;
}

/* Returns the chunk size for this MTU; 0 if no chunk size is large enough. */
static uint32_t chunk_for(uint32_t mtu)
{
	if (mtu + LINK_HEADER_MAX <= 2048 - KERNEL_HEADROOM)
		return 2048;
	return mtu <= AFXDP_MTU_MAX ? 4096 : 0;
}

static bool power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

static struct afxdp *allocate(const struct afxdp_config *config)
{
	struct afxdp *a = calloc(1, sizeof(*a));
	void *area;

	if (!a)
		return NULL;
	a->transport.ops = &afxdp_ops;
	a->transport.fd = -1;
	a->transport.ifindex = config->ifindex;
	a->transport.layer3 = config->layer3;
	a->chunk = chunk_for(config->mtu);
	a->frame_max = config->mtu + ETH_HLEN;
	a->transport.mtu = config->mtu;
	a->rx_frames = config->rx_frames ?: FRAMES_DEFAULT;
	a->tx_frames = config->tx_frames ?: FRAMES_DEFAULT;
	a->lent = calloc(a->rx_frames, sizeof(*a->lent));
	a->idle = calloc(a->tx_frames, sizeof(*a->idle));
	area = mmap(NULL, area_bytes(a), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	if (area != MAP_FAILED)
		a->area = area;
	if (!a->lent || !a->idle || !a->area) {
		deinit(&a->transport);
		return NULL;
	}
	madvise(a->area, area_bytes(a), MADV_DONTDUMP); /* plaintext passes through it */
	return a;
}

int afxdp_new(struct transport **o, const struct afxdp_config *config, struct fault *f)
{
	struct afxdp *a;
	int err;

	if (!chunk_for(config->mtu))
		return fault(f, -EMSGSIZE,
			     "%s: MTU %u is larger than the %u that one frame of "
			     "AF_XDP holds; lower it or use --rx udp",
			     config->nic, config->mtu, AFXDP_MTU_MAX);
	if ((config->rx_frames && !power_of_two(config->rx_frames)) ||
	    (config->tx_frames && !power_of_two(config->tx_frames)))
		return fault(f, -EINVAL, "%s: %u rx and %u tx frames are not powers of two",
			     config->nic, config->rx_frames, config->tx_frames);
	a = allocate(config);
	if (!a)
		return fault(f, -ENOMEM, "%s queue %u: out of memory", config->nic, config->queue);
	err = open_patiently(a, config);
	if (err) {
		deinit(&a->transport);
		return explain(err, config, f);
	}
	tune(a);
	*o = &a->transport;
	return 0;
}

bool afxdp_vacant(const struct afxdp_config *config)
{
	const struct afxdp_config probe = {
		.nic = config->nic,
		.ifindex = config->ifindex,
		.queue = config->queue,
		.rx_frames = PROBE_FRAMES,
		.tx_frames = PROBE_FRAMES,
		.zero_copy = AFXDP_ZC_OFF,
	};
	struct afxdp *a = allocate(&probe);
	bool vacant;

	if (!a)
		return false;
	vacant = open_socket(a, &probe) == 0;
	deinit(&a->transport);
	return vacant;
}

bool afxdp_zero_copy(const struct transport *o)
{
	return self(o)->zero_copy;
}

int afxdp_drops(const struct transport *o, struct afxdp_drops *d)
{
	struct xdp_statistics s = { 0 };
	socklen_t len = sizeof(s);

	if (getsockopt(o->fd, SOL_XDP, XDP_STATISTICS, &s, &len))
		return -errno;
	d->rx_dropped += s.rx_dropped;
	d->rx_invalid_descs += s.rx_invalid_descs;
	d->tx_invalid_descs += s.tx_invalid_descs;
	d->rx_ring_full += s.rx_ring_full;
	d->rx_fill_ring_empty += s.rx_fill_ring_empty_descs;
	d->tx_ring_empty += s.tx_ring_empty_descs;
	return 0;
}
