/* SPDX-License-Identifier: MIT */
/*
 * afxdp.c - one AF_XDP socket on one queue, its UMEM and its four rings.
 *
 * The UMEM is divided into chunks. The first rx_frames chunks are used only for receiving and the
 * others only for sending, so that a burst of sending cannot starve receiving. Each chunk is in
 * exactly one place at a time:
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
 *               returns them to the fill ring in the same iteration of the worker's loop
 *   idle[]      free tx chunks; the last one freed is used first, because it is still in the cache
 *   tx          complete frames to be sent; the kernel reads them when sweep() wakes it
 *   completion  chunks that were sent; in copy mode the kernel stops sending while the ring is full
 *
 * Each ring has room for all chunks that can be in it. Even so, a producer may find a ring full,
 * because the kernel publishes that it consumed a chunk only after the chunk has appeared in the rx
 * or completion ring. So afxdp_refill() keeps chunks that do not fit, and send() drops frames that
 * do not fit.
 *
 * Multi-buffer frames (XDP_USE_SG) are not used. The kernel keeps 256 bytes of each chunk as
 * headroom. It drops a frame that is larger than the rest of the chunk, and counts the frame as
 * rx_dropped.
 */
#include <errno.h>
#include <sys/socket.h>

#include "io/afxdp_private.h"
#include "io/decap.h"
#include "io/encap.h"

static uint64_t chunk_of(const struct afxdp *a, uint64_t addr)
{
	return addr & ~(uint64_t)(a->chunk - 1);
}

/* ---- receiving ---- */

static unsigned recv_frames(struct transport *transport, struct rx_frame *frames, unsigned max)
{
	struct afxdp *a = afxdp_self(transport);
	unsigned n = 0, data = 0, malformed = 0;
	uint32_t idx, count;

	count = xsk_ring_cons__peek(&a->rx, max, &idx);
	if (!count && transport->busy_poll_ns) {
		(void)!recvfrom(transport->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
		count = xsk_ring_cons__peek(&a->rx, max, &idx);
	}
	for (uint32_t i = 0; i < count; i++) {
		const struct xdp_desc *d = xsk_ring_cons__rx_desc(&a->rx, idx + i);

		a->lent[a->lent_count++] = chunk_of(a, d->addr);
		if (!decap_parse(xsk_umem__get_data(a->area, d->addr), d->len, &frames[n])) {
			malformed++;
			continue;
		}
		frames[n].ifindex = transport->layer3;
		data += transport_is_data(frames[n].payload, frames[n].len);
		n++;
	}
	if (count)
		xsk_ring_cons__release(&a->rx, count);
	transport_count(&transport->stats.rx_packets, data);
	transport_count(&transport->stats.rx_malformed, malformed);
	return n;
}

void afxdp_refill(struct afxdp *a)
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

static unsigned alloc_frames(struct transport *transport, struct tx_frame *frames, unsigned n,
			     uint32_t len)
{
	struct afxdp *a = afxdp_self(transport);

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

/* Returns true if AF_XDP can send @f on this NIC without fragmentation. */
static bool sendable(const struct afxdp *a, const struct tx_frame *f)
{
	return f->encap && f->encap->xsk_ok && f->encap->ifindex == a->transport.ifindex &&
	       f->len <= f->room && f->encap->header_len + f->len <= a->frame_max;
}

static unsigned send_frames(struct transport *transport, struct tx_frame *frames, unsigned n)
{
	struct afxdp *a = afxdp_self(transport);
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
	transport_count(&transport->stats.tx_packets, data);
	transport_count(&transport->stats.tx_refused, refused);
	return sent;
}

/* Returns the number of descriptors on the tx ring that the kernel has not consumed. */
static uint32_t unsent(const struct afxdp *a)
{
	return a->tx.cached_prod - __atomic_load_n(a->tx.consumer, __ATOMIC_ACQUIRE);
}

/*
 * Makes the kernel send the frames on the tx ring. In zero-copy mode one call wakes the driver. In
 * copy mode sendto() sends up to 32 frames per call, so the call is repeated until the ring is
 * empty or a call makes no progress. The errors of sendto() mean:
 *   EAGAIN   32 frames were sent, or the completion ring is full, or the device is busy. If the
 *            call made no progress, the remaining frames are sent by the next sweep. ENOBUFS,
 *            ENETDOWN and ENXIO are handled in the same way.
 *   EBUSY    The device dropped one frame, whose chunk goes to the completion ring. The call made
 *            progress, although the consumer index may not show it.
 * Each call that makes progress completes at least one frame. So the loop needs at most as many
 * turns as there are frames on the ring.
 */
static void wake_tx(struct afxdp *a)
{
	uint32_t left = unsent(a), before;
	int fd = a->transport.fd;
	bool dropped;

	for (uint32_t turns = left;
	     turns && left && (a->transport.busy_poll_ns || xsk_ring_prod__needs_wakeup(&a->tx));
	     turns--) {
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

static void sweep(struct transport *transport)
{
	struct afxdp *a = afxdp_self(transport);

	if (a->lent_count)
		afxdp_refill(a);
	if (xsk_ring_prod__needs_wakeup(&a->fill))
		(void)!recvfrom(transport->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
	wake_tx(a);
	reap(a);
	transport->fullness = (a->tx_frames - a->idle_count) * 16 / a->tx_frames;
	atomic_store_explicit(&transport->stats.tx_in_flight, a->tx_frames - a->idle_count,
			      memory_order_relaxed);
}

const struct transport_ops afxdp_ops = {
	.name = "xdp",
	.deinit = afxdp_deinit,
	.recv = recv_frames,
	.alloc = alloc_frames,
	.send = send_frames,
	.sweep = sweep,
};
