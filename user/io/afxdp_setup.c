/* SPDX-License-Identifier: MIT */
/*
 * afxdp_setup.c - opens and closes an AF_XDP socket with its UMEM, and reads its counters. afxdp.c
 * has a diagram of the ownership of frames.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_xdp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "io/afxdp_private.h"
#include "io/encap.h"
#include "io/xsk_owners.h"
#include "util/open_files.h"
#include "wgxdp/limits.h"

#define FRAMES_DEFAULT 4096
#define PROBE_FRAMES 64
#define KERNEL_HEADROOM 256 /* XDP_PACKET_HEADROOM, taken from each chunk */
#define BUSY_POLL_BUDGET 64 /* packets per poll; the most that drivers are tested with */
#define SOCKET_FILES 4	    /* the most files that libxdp opens for a socket */
#define LINK_HEADER_MAX 22  /* Ethernet and two VLAN tags; see chunk_for() */

/* How long the bind to a busy queue is repeated, and the pause between two attempts. The kernel
 * releases the queue of a closed socket with a delay (measured: 16 to 29 ms). */
#define BIND_PATIENCE_MS 1000
#define BIND_PAUSE_MS 10

_Static_assert(ENCAP_HEADER_MAX <= FRAME_HEADROOM, "headers go before the payload");

static size_t area_bytes(const struct afxdp *a)
{
	return (size_t)(a->rx_frames + a->tx_frames) * a->chunk;
}

/* Deletes the socket before the UMEM, because the socket uses the descriptor of the UMEM, which
 * xsk_umem__delete() closes. */
static void close_socket(struct afxdp *a)
{
	if (a->socket)
		xsk_socket__delete(a->socket);
	if (a->umem)
		xsk_umem__delete(a->umem);
	a->socket = NULL;
	a->umem = NULL;
}

void afxdp_deinit(struct transport *transport)
{
	struct afxdp *a = afxdp_self(transport);

	close_socket(a);
	if (a->area)
		munmap(a->area, area_bytes(a));
	free(a->lent);
	free(a->idle);
	free(a);
}

/* Puts every rx chunk into the fill ring and every tx chunk into idle[]. */
static void deal_chunks(struct afxdp *a)
{
	a->lent_count = a->idle_count = 0;
	for (uint32_t i = 0; i < a->rx_frames; i++)
		a->lent[a->lent_count++] = (uint64_t)i * a->chunk;
	for (uint32_t i = 0; i < a->tx_frames; i++)
		a->idle[a->idle_count++] = (uint64_t)(a->rx_frames + i) * a->chunk;
	afxdp_refill(a);
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
	int err = open_files_room(SOCKET_FILES);

	if (err)
		return err;
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

/* Names in @f the process whose AF_XDP socket uses the queue, and returns -EBUSY. */
static int explain_busy(const struct afxdp_config *config, struct fault *f)
{
	struct xsk_owners owners;

	xsk_owners_read(config->ifindex, config->queue, config->queue + 1, &owners);
	if (!owners.count) /* the kernel does not report the socket */
		owners.items[owners.count++] = (struct xsk_owner){
			.first = config->queue,
			.last = config->queue,
		};
	return xsk_owners_fault(&owners, config->nic, f);
}

static int explain(int err, const struct afxdp_config *config, struct fault *f)
{
	static const struct {
		int err;
		const char *why;
	} table[] = {
		{ -EPERM,
		  "not permitted to open an AF_XDP socket; run as root or with CAP_NET_RAW" },
		{ -ENOBUFS, "the frames of the socket exceed the limit of locked memory; raise "
			    "`ulimit -l`, or run with CAP_IPC_LOCK" },
		{ -EAFNOSUPPORT, "this kernel has no AF_XDP sockets; use --rx udp --tx udp" },
		{ -EINVAL, "the NIC has no such queue; see `ethtool -l`" },
	};
	const char *why = strerror(-err);

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (err == table[i].err)
			why = table[i].why;
	/* virtio-net returns ENOENT if its device cannot reset queues individually. */
	if (config->zero_copy == AFXDP_ZC_ON &&
	    (err == -EINVAL || err == -EOPNOTSUPP || err == -ENOENT)) {
		err = -EOPNOTSUPP;
		why = "the driver has no zero-copy for AF_XDP; use --zero-copy auto";
	}
	if (err == -EBUSY)
		return explain_busy(config, f);
	return fault(f, err, "%s queue %u: %s", config->nic, config->queue, why);
}

/* Turns busy polling on: recvfrom() and sendto() then run the driver's poll function themselves,
 * instead of waiting for the softirq. If the kernel refuses a setting, turns busy polling off and
 * returns false. */
static bool set_busy_poll(int fd, uint32_t busy_poll_us)
{
	const struct {
		int option, value;
	} settings[] = {
		{ SO_PREFER_BUSY_POLL, 1 }, /* Linux 5.11 */
		{ SO_BUSY_POLL_BUDGET, BUSY_POLL_BUDGET },
		{ SO_BUSY_POLL, (int)busy_poll_us },
	};
	const int off = 0;

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (setsockopt(fd, SOL_SOCKET, settings[i].option, &settings[i].value,
			       sizeof(settings[i].value))) {
			setsockopt(fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, &off, sizeof(off));
			return false;
		}
	}
	return true;
}

/* Applies optional settings and reads back whether the kernel chose zero-copy. */
static void tune(struct afxdp *a, uint32_t busy_poll_us)
{
	int fd = xsk_socket__fd(a->socket);
	/* In copy mode each frame becomes an skb that is charged to the socket. The default send
	 * buffer of 208 KiB has room for about 90 skbs. Make the buffer so large that only the
	 * completion ring limits the number of frames in flight. */
	int sndbuf = (int)(a->tx_frames * 2 * a->chunk);
	struct xdp_options options = { 0 };
	socklen_t len = sizeof(options);

	fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &sndbuf, sizeof(sndbuf)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	if (!getsockopt(fd, SOL_XDP, XDP_OPTIONS, &options, &len))
		a->zero_copy = options.flags & XDP_OPTIONS_ZEROCOPY;
	if (busy_poll_us && set_busy_poll(fd, busy_poll_us))
		a->transport.busy_poll_ns = busy_poll_us * 1000;
	a->transport.fd = fd;
}

/* Returns the chunk size for this MTU; 0 if no chunk size is large enough. A chunk of 2048 bytes
 * must also have room for two VLAN tags, because Linux 7.2 refuses zero-copy for a chunk without
 * this room (xp_assign_dev()). */
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
		afxdp_deinit(&a->transport);
		return NULL;
	}
	madvise(a->area, area_bytes(a), MADV_DONTDUMP); /* frames are decrypted in place */
	return a;
}

int afxdp_new(struct transport **transport, const struct afxdp_config *config, struct fault *f)
{
	struct afxdp *a;
	int err;

	if (!chunk_for(config->mtu))
		return fault(f, -EMSGSIZE,
			     "%s: MTU %u is larger than %u, the most that an AF_XDP "
			     "frame holds; lower the MTU or use --rx udp",
			     config->nic, config->mtu, AFXDP_MTU_MAX);
	if ((config->rx_frames && !power_of_two(config->rx_frames)) ||
	    (config->tx_frames && !power_of_two(config->tx_frames)))
		return fault(f, -EINVAL,
			     "%s: the numbers of frames (rx %u, tx %u) must be powers of two",
			     config->nic, config->rx_frames, config->tx_frames);
	a = allocate(config);
	if (!a)
		return fault(f, -ENOMEM, "%s queue %u: out of memory", config->nic, config->queue);
	err = open_patiently(a, config);
	if (err) {
		afxdp_deinit(&a->transport);
		return explain(err, config, f);
	}
	tune(a, config->busy_poll_us);
	*transport = &a->transport;
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
	afxdp_deinit(&a->transport);
	return vacant;
}

bool afxdp_zero_copy(const struct transport *transport)
{
	return afxdp_self(transport)->zero_copy;
}

int afxdp_drops(const struct transport *transport, struct afxdp_drops *d)
{
	struct xdp_statistics s = { 0 };
	socklen_t len = sizeof(s);

	if (getsockopt(transport->fd, SOL_XDP, XDP_STATISTICS, &s, &len))
		return -errno;
	d->rx_dropped += s.rx_dropped;
	d->rx_invalid_descs += s.rx_invalid_descs;
	d->tx_invalid_descs += s.tx_invalid_descs;
	d->rx_ring_full += s.rx_ring_full;
	d->rx_fill_ring_empty += s.rx_fill_ring_empty_descs;
	d->tx_ring_empty += s.tx_ring_empty_descs;
	return 0;
}
