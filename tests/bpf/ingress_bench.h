/* SPDX-License-Identifier: MIT */
/*
 * ingress_bench.h - runs the programs of bpf/ingress.bpf.c by BPF_PROG_TEST_RUN. expect() runs
 * the XDP program and the NIC's TC program on a frame, and checks the verdicts, the counters, and
 * that the frame is unchanged. Needs CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN (for a network
 * namespace with an AF_XDP socket on its lo).
 */
#ifndef TESTS_BPF_INGRESS_BENCH_H
#define TESTS_BPF_INGRESS_BENCH_H

#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <xdp/xsk.h>

#include "bpf/ingress.skel.h"
#include "frames.h"
#include "ingress_rows.h"
#include "skb_run.h"
#include "wgxdp/limits.h"
#include "wgxdp/maps.h"
#include "wgxdp/reasons.h"

#define LO 1 /* ifindex of lo, on which BPF_PROG_TEST_RUN receives frames */
#define NIC_NUMBER 3
#define CPUS_MAX 4096
#define HEARTBEAT_FOR_NS                                                                           \
	(3600 * (int64_t)NS_PER_S) /* heartbeats are set this far in the future to stay fresh */

static struct ingress_bpf *skel;
static const char *denied; /* why all tests are skipped, or NULL */
static struct xsk_umem *umem;
static struct xsk_socket *xsk;
static struct xsk_ring_prod fill, tx;
static struct xsk_ring_cons completion, rx;
static void *umem_area;
static int cpus;
/* Each array has room for one element of a per-CPU map: one value for each CPU. */
static struct drops_value each_drops[CPUS_MAX];
static struct peer_stats_value each_peer[CPUS_MAX];

struct counters {
	struct drops_value drops[REASON_COUNT], passes[REASON_COUNT];
	struct peer_stats_value peer;
};

static inline void sum_reasons(const struct bpf_map *map, struct drops_value sums[REASON_COUNT])
{
	const struct drops_value *v = each_drops;

	for (uint32_t r = 0; r < REASON_COUNT; r++) {
		assert_int_equal(bpf_map__lookup_elem(map, &r, sizeof(r), each_drops,
						      cpus * sizeof(*v), 0),
				 0);
		for (int i = 0; i < cpus; i++) {
			sums[r].packets += v[i].packets;
			sums[r].bytes += v[i].bytes;
		}
	}
}

static inline void read_counters(struct counters *c)
{
	const struct peer_stats_value *v = each_peer;
	uint32_t slot = SLOT;

	memset(c, 0, sizeof(*c));
	sum_reasons(skel->maps.drops, c->drops);
	sum_reasons(skel->maps.passes, c->passes);
	assert_int_equal(bpf_map__lookup_elem(skel->maps.peer_stats, &slot, sizeof(slot), each_peer,
					      cpus * sizeof(*v), 0),
			 0);
	for (int i = 0; i < cpus; i++) {
		c->peer.rx_packets += v[i].rx_packets;
		c->peer.rx_bytes += v[i].rx_bytes;
		c->peer.tx_packets += v[i].tx_packets;
		c->peer.tx_bytes += v[i].tx_bytes;
	}
}

/* Returns true if the kernel lets BPF_PROG_TEST_RUN choose the interface and the queue of an XDP
 * program (Linux 5.15). Older kernels always use queue 0 of lo. */
static inline bool takes_context(void)
{
	struct xdp_md md = { .data_end = ETH_ZLEN, .ingress_ifindex = LO };
	uint8_t frame[ETH_ZLEN] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = sizeof(frame),
		    .ctx_in = &md, .ctx_size_in = sizeof(md));

	return !bpf_prog_test_run_opts(bpf_program__fd(skel->progs.wgxdp_ingress), &o);
}

static inline uint32_t run_on(const uint8_t *data, uint32_t len, uint32_t ifindex, uint32_t queue)
{
	struct xdp_md md = { .data_end = len, .ingress_ifindex = ifindex, .rx_queue_index = queue };
	uint8_t out[FRAME_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = data, .data_size_in = len, .data_out = out,
		    .data_size_out = sizeof(out));

	if (ifindex != LO || queue) {
		o.ctx_in = &md;
		o.ctx_size_in = sizeof(md);
	}
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.wgxdp_ingress), &o), 0);
	assert_int_equal(o.data_size_out, len);
	assert_memory_equal(out, data, len);
	return o.retval;
}

static inline uint32_t run_nic(const uint8_t *data, uint32_t len, const struct __sk_buff *gso)
{
	return run_skb(bpf_program__fd(skel->progs.wgxdp_nic), data, len, gso);
}

/* Adds a packet with @outcome to the expected counters @c. */
static inline void add_outcome(struct counters *c, enum outcome outcome, enum reason reason,
			       uint32_t len, uint32_t payload_len, bool forwards)
{
	if (outcome == STEERED) {
		c->peer.rx_packets++;
		c->peer.rx_bytes += payload_len;
	} else if (outcome == REFUSED) {
		struct drops_value *v = forwards ? c->passes : c->drops;

		v[reason].packets++;
		v[reason].bytes += len;
	}
}

/* Runs both programs on @data and checks verdict and counters. If XDP steers a frame to a socket,
 * TC passes the same frame to the stack. */
static inline void expect(const uint8_t *data, uint32_t len, enum outcome outcome,
			  enum reason reason, uint32_t payload_len, bool forwards)
{
	const bool dropped = outcome == REFUSED && !forwards;
	struct counters want, got;

	read_counters(&want);
	add_outcome(&want, outcome, reason, len, payload_len, forwards);
	assert_int_equal(run_on(data, len, LO, 0), dropped		? XDP_DROP
						   : outcome == STEERED ? XDP_REDIRECT
									: XDP_PASS);
	read_counters(&got);
	assert_memory_equal(&got, &want, sizeof(want));
	if (len < ETH_HLEN + 40) /* BPF_PROG_TEST_RUN refuses an skb without an IP header */
		return;
	add_outcome(&want, outcome, reason, len, payload_len, forwards);
	assert_int_equal(run_nic(data, len, NULL), dropped ? TC_ACT_SHOT : (uint32_t)TC_ACT_UNSPEC);
	read_counters(&got);
	assert_memory_equal(&got, &want, sizeof(want));
}

static inline void set_forwarding(bool ipv4, bool ipv6)
{
	skel->bss->forwarding4 = ipv4;
	skel->bss->forwarding6 = ipv6;
}

static inline void put(const struct bpf_map *map, const void *key, size_t key_len,
		       const void *value, size_t value_len)
{
	assert_int_equal(bpf_map__update_elem(map, key, key_len, value, value_len, BPF_ANY), 0);
}

/* Writes a heartbeat of worker 0 that is @ago_ns old, or in the future if @ago_ns is negative.
 * put_nic() gives all queues to worker 0. */
static inline void put_heartbeat(int64_t ago_ns)
{
	uint32_t worker = 0;
	struct timespec now;
	uint64_t ns;

	assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &now), 0);
	ns = now.tv_sec * NS_PER_S + now.tv_nsec - ago_ns;
	put(skel->maps.heartbeat, &worker, sizeof(worker), &ns, sizeof(ns));
}

static inline void put_nic(uint32_t ifindex, uint16_t number)
{
	struct nic_value nic = { .number = number };

	memcpy(nic.mac, frame_nic_mac, 6);
	put(skel->maps.nics, &ifindex, sizeof(ifindex), &nic, sizeof(nic));
}

static inline void put_socket(uint32_t key)
{
	int fd = xsk_socket__fd(xsk);

	put(skel->maps.xsks, &key, sizeof(key), &fd, sizeof(fd));
}

static inline void remove_socket(uint32_t key)
{
	assert_int_equal(bpf_map__delete_elem(skel->maps.xsks, &key, sizeof(key), 0), 0);
}

static inline void put_session(uint32_t index, uint32_t slot, enum session_kind kind)
{
	struct session_value v = { .slot = slot, .kind = kind };

	put(skel->maps.sessions, &index, sizeof(index), &v, sizeof(v));
}

static inline void fill_maps(void)
{
	struct listen_key v4 = { .address = { [10] = 0xff, 0xff, 192, 0, 2, 1 },
				 .port = htons(FRAME_PORT) };
	struct listen_key v6 = { .port = htons(FRAME_PORT) };
	uint32_t slot = SLOT;
	uint8_t one = 1;

	memcpy(v6.address, frame_to6, 16);
	put(skel->maps.listen, &v4, sizeof(v4), &one, sizeof(one));
	put(skel->maps.listen, &v6, sizeof(v6), &one, sizeof(one));
	put(skel->maps.peer_stats, &slot, sizeof(slot), each_peer, cpus * sizeof(each_peer[0]));
	put_session(SESSION, SLOT, SESSION_DATA);
	put_session(PENDING, SLOT, SESSION_PENDING);
	put_session(GONE_PEER, SLOT + 1, SESSION_DATA);
	put_nic(LO, NIC_NUMBER);
	put_socket(xsks_key(NIC_NUMBER, 0));
	put_heartbeat(-HEARTBEAT_FOR_NS);
}

static inline int lo_up(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int err = ioctl(fd, SIOCSIFFLAGS, &r);

	close(fd);
	return err;
}

static inline int open_xsk(void)
{
	const struct xsk_socket_config config = {
		.rx_size = 64,
		.tx_size = 64,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
	};
	const size_t size = 64 * XSK_UMEM__DEFAULT_FRAME_SIZE;

	umem_area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (umem_area == MAP_FAILED ||
	    xsk_umem__create(&umem, umem_area, size, &fill, &completion, NULL))
		return -1;
	return xsk_socket__create(&xsk, "lo", 0, umem, &rx, &tx, &config);
}

static inline int setup(void **state)
{
	(void)state;
	libbpf_set_print(NULL);
	cpus = libbpf_num_possible_cpus();
	skel = ingress_bpf__open_and_load();
	if (!skel && errno == EPERM)
		denied = "no CAP_BPF";
	else if (skel && unshare(CLONE_NEWNET))
		denied = "no CAP_SYS_ADMIN";
	if (denied) {
		print_message("# skipping everything: %s\n", denied);
		return 0;
	}
	if (!skel || cpus < 1 || cpus > CPUS_MAX || lo_up() || open_xsk()) {
		print_error("# setup: %s\n", strerror(errno));
		return -1;
	}
	fill_maps();
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	if (xsk)
		xsk_socket__delete(xsk);
	if (umem)
		xsk_umem__delete(umem);
	ingress_bpf__destroy(skel);
	return 0;
}

static inline void skip_if_denied(void)
{
	if (denied)
		skip();
}

#endif
