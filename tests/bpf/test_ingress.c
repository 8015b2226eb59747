/* SPDX-License-Identifier: MIT */
/*
 * test_ingress.c - bpf/ingress.bpf.c by BPF_PROG_TEST_RUN: frame in; verdict, counters and the
 * frame untouched out. The table is in ingress_rows.h; each row is one test. Needs CAP_BPF, CAP_NET_ADMIN
 * and CAP_SYS_ADMIN (for a namespace of its own, whose lo carries the AF_XDP socket).
 */
#include <errno.h>
#include <linux/bpf.h>
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
#include "wgxdp/limits.h"
#include "wgxdp/maps.h"
#include "wgxdp/reasons.h"

#define LO 1 /* ifindex of lo; BPF_PROG_TEST_RUN says that frames came by it */
#define NIC_NUMBER 3
#define CPUS_MAX 4096
#define BEATS_FOR_NS (3600 * (int64_t)NS_PER_S) /* a beat of the future: the worker never hangs */

/* --- the bench ------------------------------------------------------------------------------- */

static struct ingress_bpf *skel;
static const char *denied; /* why no test can run */
static struct xsk_umem *umem;
static struct xsk_socket *xsk;
static struct xsk_ring_prod fill, tx;
static struct xsk_ring_cons completion, rx;
static void *umem_area;
static int cpus;
/* An element of a per-CPU map. */
static struct drops_value each_drops[CPUS_MAX];
static struct peer_stats_value each_peer[CPUS_MAX];

struct counters {
	struct drops_value drops[REASON_COUNT], passes[REASON_COUNT];
	struct peer_stats_value peer;
};

static void sum_reasons(const struct bpf_map *map, struct drops_value sums[REASON_COUNT])
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

static void read_counters(struct counters *c)
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

static uint32_t run_on(const uint8_t *data, uint32_t len, uint32_t ifindex, uint32_t queue)
{
	struct xdp_md md = { .data_end = len, .ingress_ifindex = ifindex, .rx_queue_index = queue };
	uint8_t out[FRAME_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = data, .data_size_in = len, .data_out = out,
		    .data_size_out = sizeof(out), .ctx_in = &md, .ctx_size_in = sizeof(md));

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.wgxdp_ingress), &o), 0);
	assert_int_equal(o.data_size_out, len);
	assert_memory_equal(out, data, len);
	return o.retval;
}

/* Runs the program on @data and checks all that it did and did not do. */
static void expect(const uint8_t *data, uint32_t len, enum outcome outcome, enum reason reason,
		   uint32_t payload_len, bool forwards)
{
	struct counters want, got;
	uint32_t verdict = outcome == STEERED ? XDP_REDIRECT : XDP_PASS;

	read_counters(&want);
	if (outcome == STEERED) {
		want.peer.rx_packets++;
		want.peer.rx_bytes += payload_len;
	} else if (outcome == REFUSED) {
		struct drops_value *v = forwards ? want.passes : want.drops;

		v[reason].packets++;
		v[reason].bytes += len;
		verdict = forwards ? XDP_PASS : XDP_DROP;
	}
	assert_int_equal(run_on(data, len, LO, 0), verdict);
	read_counters(&got);
	assert_memory_equal(&got, &want, sizeof(want));
}

static void set_forwarding(bool ipv4, bool ipv6)
{
	skel->bss->forwarding4 = ipv4;
	skel->bss->forwarding6 = ipv6;
}

static void put(const struct bpf_map *map, const void *key, size_t key_len, const void *value,
		size_t value_len)
{
	assert_int_equal(bpf_map__update_elem(map, key, key_len, value, value_len, BPF_ANY), 0);
}

/* Worker 0, who serves every queue here, was last seen @ago_ns ago. */
static void put_beat(int64_t ago_ns)
{
	uint32_t worker = 0;
	struct timespec now;
	uint64_t ns;

	assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &now), 0);
	ns = now.tv_sec * NS_PER_S + now.tv_nsec - ago_ns;
	put(skel->maps.beat, &worker, sizeof(worker), &ns, sizeof(ns));
}

static void put_nic(uint32_t ifindex, uint16_t number)
{
	struct nic_value nic = { .number = number };

	memcpy(nic.mac, frame_nic_mac, 6);
	put(skel->maps.nics, &ifindex, sizeof(ifindex), &nic, sizeof(nic));
}

static void put_socket(uint32_t key)
{
	int fd = xsk_socket__fd(xsk);

	put(skel->maps.xsks, &key, sizeof(key), &fd, sizeof(fd));
}

static void remove_socket(uint32_t key)
{
	assert_int_equal(bpf_map__delete_elem(skel->maps.xsks, &key, sizeof(key), 0), 0);
}

static void put_session(uint32_t index, uint32_t slot, enum session_kind kind)
{
	struct session_value v = { .slot = slot, .kind = kind };

	put(skel->maps.sessions, &index, sizeof(index), &v, sizeof(v));
}

static void fill_maps(void)
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
	put_beat(-BEATS_FOR_NS);
}

static int lo_up(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int err = ioctl(fd, SIOCSIFFLAGS, &r);

	close(fd);
	return err;
}

static int open_xsk(void)
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

static int setup(void **state)
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

static int teardown(void **state)
{
	(void)state;
	if (xsk)
		xsk_socket__delete(xsk);
	if (umem)
		xsk_umem__delete(umem);
	ingress_bpf__destroy(skel);
	return 0;
}

/* --- tests ----------------------------------------------------------------------------------- */

static void skip_if_denied(void)
{
	if (denied)
		skip();
}

static void test_row(void **state)
{
	const struct row *r = *state;
	const bool v4 = r->frame.family == 4;
	struct frame f;

	skip_if_denied();
	frame_build(&f, &r->frame);
	set_forwarding(false, false);
	expect(f.data, f.len, r->outcome, r->reason, f.payload_len, false);
	/* The other family's forwarding changes nothing. */
	set_forwarding(!v4, v4);
	expect(f.data, f.len, r->outcome, r->reason, f.payload_len, false);
	set_forwarding(v4, !v4);
	expect(f.data, f.len, r->outcome, r->reason, f.payload_len, true);
	set_forwarding(false, false);
}

/* A frame cut short anywhere is no datagram of ours. */
static void test_truncation(void **state)
{
	static const struct frame_spec specs[] = {
		{ DATA(4) },
		{ DATA(4), .options = 40 },
		{ DATA(6) },
		{ ANY(4, WIRE_INITIATION, 0) },
		{ ANY(6, WIRE_RESPONSE, PENDING) },
		{ ANY(4, WIRE_DATA, UNKNOWN) },
		{ ANY(6, 9, SESSION) },
	};
	struct frame f;

	(void)state;
	skip_if_denied();
	for (unsigned i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		frame_build(&f, &specs[i]);
		for (uint32_t len = ETH_HLEN; len < f.len; len++)
			expect(f.data, len, STACK, 0, 0, false);
	}
}

/* Every payload length for every type: only those of the paper go on. */
static void test_lengths(void **state)
{
	struct frame f;

	(void)state;
	skip_if_denied();
	for (uint8_t type = 0; type <= 5; type++) {
		for (int len = 1; len <= 200; len++) {
			struct frame_spec s = { .family = 4 + len % 2 * 2,
						.type = type,
						.receiver = SESSION,
						.payload_len = len };
			enum outcome outcome = REFUSED;

			if (type == WIRE_DATA && len >= 32)
				outcome = STEERED;
			if ((type == 1 && len == 148) || (type == 2 && len == 92) ||
			    (type == 3 && len == 64))
				outcome = STACK;
			frame_build(&f, &s);
			expect(f.data, f.len, outcome, REASON_malformed, len, false);
		}
	}
}

/* One bit turned in the IPv4 header without its checksum following: never ours. */
static void test_flipped_header_bits(void **state)
{
	const struct frame_spec s = { DATA(4), .options = 8 };
	struct frame f;

	(void)state;
	skip_if_denied();
	frame_build(&f, &s);
	for (uint32_t bit = f.at[L3] * 8; bit < f.at[L4] * 8; bit++) {
		f.data[bit / 8] ^= 1 << bit % 8;
		expect(f.data, f.len, STACK, 0, 0, false);
		f.data[bit / 8] ^= 1 << bit % 8;
	}
}

/* A datagram that ends before its IP packet does: its own length counts. */
static void test_udp_length_rules(void **state)
{
	const struct frame_spec s = { DATA(6) };
	struct frame f;

	(void)state;
	skip_if_denied();
	frame_build(&f, &s);
	for (uint32_t len = 0; len <= f.payload_len + 2; len++) {
		bool good = len >= 32 && len <= f.payload_len;

		frame_put16(f.data + f.at[L4] + 4, 8 + len);
		expect(f.data, f.len, good ? STEERED : REFUSED, REASON_malformed, len, false);
	}
}

/* Without a socket the frame goes to the stack, still counted for the peer. */
static void test_no_socket(void **state)
{
	const struct frame_spec s = { DATA(4) };
	struct counters before, after;
	struct frame f;

	(void)state;
	skip_if_denied();
	frame_build(&f, &s);
	read_counters(&before);
	remove_socket(xsks_key(NIC_NUMBER, 0));
	assert_int_equal(run_on(f.data, f.len, LO, 0), XDP_PASS);
	put_socket(xsks_key(NIC_NUMBER, 0));
	read_counters(&after);
	assert_int_equal(after.peer.rx_packets, before.peer.rx_packets + 1);
	assert_int_equal(run_on(f.data, f.len, LO, 0), XDP_REDIRECT);
}

/* A peer just deleted: its packets still find their way, nothing is counted for anybody. */
static void test_peer_without_counters(void **state)
{
	const struct frame_spec s = { ANY(4, WIRE_DATA, GONE_PEER) };
	struct counters before, after;
	struct frame f;

	(void)state;
	skip_if_denied();
	frame_build(&f, &s);
	read_counters(&before);
	assert_int_equal(run_on(f.data, f.len, LO, 0), XDP_REDIRECT);
	read_counters(&after);
	assert_memory_equal(&before, &after, sizeof(before));
}

/* A NIC that the map does not know, as between detach and the link's end: all passes. */
static void test_unknown_nic(void **state)
{
	const struct frame_spec s = { DATA(4) }, bad = { ANY(4, 9, SESSION) };
	uint32_t lo = LO;
	struct frame f;

	(void)state;
	skip_if_denied();
	assert_int_equal(bpf_map__delete_elem(skel->maps.nics, &lo, sizeof(lo), 0), 0);
	frame_build(&f, &s);
	expect(f.data, f.len, STACK, 0, 0, false);
	frame_build(&f, &bad);
	expect(f.data, f.len, STACK, 0, 0, false);
	put_nic(LO, NIC_NUMBER);
}

/* Queues and NICs do not run into each other: queue 65 of one is not queue 1 of the next. */
static void test_queues(void **state)
{
	const struct frame_spec s = { DATA(4) };
	struct frame f;
	uint32_t veth;

	(void)state;
	skip_if_denied();
	if (system("ip link add bpf1 numrxqueues 66 numtxqueues 66 up type veth "
		   "peer name bpf2 numrxqueues 66 numtxqueues 66"))
		fail_msg("no veth");
	veth = if_nametoindex("bpf1");
	put_nic(veth, 1);
	put_socket(xsks_key(1, 2));
	put_socket(xsks_key(1, 63));
	put_socket(xsks_key(2, 1));
	frame_build(&f, &s);
	assert_int_equal(run_on(f.data, f.len, veth, 0), XDP_PASS);
	assert_int_equal(run_on(f.data, f.len, veth, 1), XDP_PASS);
	assert_int_equal(run_on(f.data, f.len, veth, 2), XDP_REDIRECT);
	assert_int_equal(run_on(f.data, f.len, veth, 63), XDP_REDIRECT);
	assert_int_equal(run_on(f.data, f.len, veth, 65), XDP_PASS);
	remove_socket(xsks_key(1, 2));
	remove_socket(xsks_key(1, 63));
	remove_socket(xsks_key(2, 1));
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_flipped_header_bits),
		cmocka_unit_test(test_udp_length_rules),
		cmocka_unit_test(test_no_socket),
		cmocka_unit_test(test_peer_without_counters),
		cmocka_unit_test(test_unknown_nic),
		cmocka_unit_test(test_queues),
	};
	struct CMUnitTest tests[ROWS + sizeof(others) / sizeof(others[0])];

	for (size_t i = 0; i < ROWS; i++)
		tests[i] = (struct CMUnitTest){ .name = rows[i].name,
						.test_func = test_row,
						.initial_state = (void *)&rows[i] };
	memcpy(tests + ROWS, others, sizeof(others));
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("ingress", tests, setup, teardown);
}
