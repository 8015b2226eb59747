/* SPDX-License-Identifier: MIT */
/*
 * test_xdplink.c - the loader's XDP program on a NIC: modes, foreign programs, and removed NICs.
 */
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <poll.h>

#include "frames.h"
#include "sandbox.h"
#include "socket_on_lt0.h"

/* Attaches by netlink a program that passes everything. Returns its fd. */
static int attach_foreign(const char *name, uint32_t flags)
{
	const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, name, "GPL", pass, 2, NULL);

	assert_true(fd >= 0);
	assert_int_equal(bpf_xdp_attach(lt0, fd, flags, NULL), 0);
	return fd;
}

static void test_attach_modes(void **state)
{
	static const struct {
		enum loader_mode mode;
		bool native;
		uint8_t attached;
	} modes[] = {
		{ LOADER_MODE_AUTO, true, XDP_ATTACHED_DRV },
		{ LOADER_MODE_NATIVE, true, XDP_ATTACHED_DRV },
		{ LOADER_MODE_GENERIC, false, XDP_ATTACHED_SKB },
	};

	(void)state;
	make_loader();
	assert_false(loader_attached(loader, lt0));
	for (unsigned i = 0; i < 3; i++) {
		LIBBPF_OPTS(bpf_xdp_query_opts, q);
		bool native = !modes[i].native;

		assert_int_equal(loader_attach(loader, lt0, "lt0", modes[i].mode, &native, &f), 0);
		assert_int_equal(native, modes[i].native);
		assert_true(loader_attached(loader, lt0));
		assert_int_equal(bpf_xdp_query(lt0, 0, &q), 0);
		assert_int_equal(q.attach_mode, modes[i].attached);
		assert_int_equal(loader_attach(loader, lt0, "lt0", modes[i].mode, &native, &f),
				 -EALREADY);
		loader_detach(loader, lt0);
		assert_false(loader_attached(loader, lt0));
		assert_int_equal(prog_id(), 0);
	}
	loader_detach(loader, lt0);
	loader_detach(loader, 0);
}

static void test_lo_is_generic(void **state)
{
	bool native = true;

	(void)state;
	make_loader();
	assert_int_equal(loader_attach(loader, 1, "lo", LOADER_MODE_NATIVE, &native, &f),
			 -EOPNOTSUPP);
	assert_non_null(strstr(f.text, "lo: "));
	assert_true(native);
	assert_int_equal(loader_attach(loader, 1, "lo", LOADER_MODE_AUTO, &native, &f), 0);
	assert_false(native);
}

/* In every mode, the loader refuses to replace a foreign program, and the error names that
 * program. */
static void test_foreign_program(void **state)
{
	static const uint32_t flags[] = { XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE };
	static const enum loader_mode modes[] = { LOADER_MODE_AUTO, LOADER_MODE_NATIVE,
						  LOADER_MODE_GENERIC };

	(void)state;
	make_loader();
	for (unsigned i = 0; i < 6; i++) {
		int fd = attach_foreign("neighbour", flags[i % 2]);
		uint32_t id = prog_id();
		char text[32];
		bool native;

		snprintf(text, sizeof(text), "program %u (neighbour)", id);
		assert_int_equal(loader_attach(loader, lt0, "lt0", modes[i / 2], &native, &f),
				 -EBUSY);
		assert_non_null(strstr(f.text, text));
		assert_non_null(strstr(f.text, "lt0: "));
		assert_int_equal(prog_id(), id);
		assert_int_equal(bpf_xdp_detach(lt0, flags[i % 2], NULL), 0);
		close(fd);
	}
}

/* Neither netlink nor another wgxdp can remove or replace our program. */
static void test_not_displaced(void **state)
{
	struct loader *other;
	uint32_t id;
	bool native;

	(void)state;
	make_loader();
	assert_int_equal(loader_attach(loader, lt0, "lt0", LOADER_MODE_AUTO, &native, &f), 0);
	id = prog_id();
	assert_int_not_equal(bpf_xdp_detach(lt0, XDP_FLAGS_DRV_MODE, NULL), 0);
	assert_int_equal(loader_new(&other, "wg1", &f), 0);
	assert_int_equal(loader_attach(other, lt0, "lt0", LOADER_MODE_AUTO, &native, &f), -EBUSY);
	assert_non_null(
		strstr(f.text, "lt0: the XDP program of interface wg0 is attached to this NIC"));
	assert_int_equal(prog_id(), id);
	/* The other wgxdp can attach once the first has detached. */
	loader_detach(loader, lt0);
	assert_int_equal(loader_attach(other, lt0, "lt0", LOADER_MODE_AUTO, &native, &f), 0);
	loader_free(other);
}

/* The error names the interface that owns the program, even an interface wg.1, whose pin directory
 * is named wg:1. If the program's map xsks is not pinned, the error names only the program. */
static void test_owner_is_named(void **state)
{
	struct loader *other;
	bool native;

	(void)state;
	make_loader();
	assert_int_equal(loader_new(&other, "wg.1", &f), 0);
	assert_int_equal(loader_attach(other, lt0, "lt0", LOADER_MODE_AUTO, &native, &f), 0);
	assert_int_equal(loader_attach(loader, lt0, "lt0", LOADER_MODE_AUTO, &native, &f), -EBUSY);
	assert_non_null(strstr(f.text, "interface wg.1 is attached"));
	assert_int_equal(unlink(PINS_ROOT "/wgxdp/wg:1/xsks"), 0);
	assert_int_equal(loader_attach(loader, lt0, "lt0", LOADER_MODE_AUTO, &native, &f), -EBUSY);
	assert_non_null(strstr(f.text, "(wgxdp_ingress) is attached to this NIC"));
	loader_free(other);
}

/* Returns an fd of the link that attaches program @id. */
static int link_of_prog(uint32_t id)
{
	uint32_t link = 0;

	while (!bpf_link_get_next_id(link, &link)) {
		struct bpf_link_info info = { 0 };
		uint32_t len = sizeof(info);
		int fd = bpf_link_get_fd_by_id(link);

		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) && info.prog_id == id)
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

/* After `bpftool link detach` the program can be attached again. */
static void test_detached_by_force(void **state)
{
	bool native;
	int fd;

	(void)state;
	make_loader();
	assert_int_equal(loader_attach(loader, lt0, "lt0", LOADER_MODE_AUTO, &native, &f), 0);
	fd = link_of_prog(prog_id());
	assert_int_equal(bpf_link_detach(fd), 0);
	close(fd);
	assert_int_equal(prog_id(), 0);
	assert_false(loader_attached(loader, lt0));
	loader_detach(loader, lt0);
	assert_int_equal(loader_attach(loader, lt0, "lt0", LOADER_MODE_AUTO, &native, &f), 0);
	assert_true(loader_attached(loader, lt0));
}

static void test_nic_goes_away(void **state)
{
	uint32_t index;
	bool native;

	(void)state;
	make_loader();
	run("ip link add lt2 up type veth peer name lt3");
	index = if_nametoindex("lt2");
	assert_int_equal(loader_attach(loader, index, "lt2", LOADER_MODE_AUTO, &native, &f), 0);
	run("ip link del lt2");
	assert_false(loader_attached(loader, index));
	loader_detach(loader, index);
	assert_int_equal(loader_attach(loader, index, "lt2", LOADER_MODE_AUTO, &native, &f),
			 -ENODEV);
	assert_non_null(strstr(f.text, "lt2: no such interface"));
	assert_int_equal(loader_attach(loader, 0, "lt2", LOADER_MODE_AUTO, &native, &f), -ENODEV);
}

/* A veth refuses native XDP while the MTU of its other end is too large. loader_is_accepted() asks
 * the driver, but leaves no XDP program attached, and keeps the TC program. */
static void test_is_accepted(void **state)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);
	uint32_t index;
	bool tcx;

	(void)state;
	make_loader();
	run("ip link add lt2 up type veth peer name lt3");
	run("ip link set lt3 up mtu 9000");
	index = if_nametoindex("lt2");
	assert_int_equal(loader_attach_nic_tc(loader, index, "lt2", false, &tcx, &f), 0);
	assert_false(loader_is_accepted(loader, index, "lt2"));
	run("ip link set lt3 mtu 1500");
	assert_true(loader_is_accepted(loader, index, "lt2"));
	assert_int_equal(bpf_xdp_query(index, 0, &q), 0);
	assert_int_equal(q.attach_mode, XDP_ATTACHED_NONE);
	assert_true(loader_attached(loader, index));
	run("ip link del lt2");
}

static void test_no_ethernet(void **state)
{
	bool native;

	(void)state;
	make_loader();
	run("ip tuntap add ltun mode tun");
	assert_int_equal(loader_attach(loader, if_nametoindex("ltun"), "ltun", LOADER_MODE_AUTO,
				       &native, &f),
			 -EOPNOTSUPP);
	run("ip link del ltun");
}

static void test_nics_map(void **state)
{
	const uint8_t other[6] = { 2, 0, 0, 0, 0, 9 };
	const uint8_t first[6] = { 2, 0x57, 0x47, 0, 0, 1 };
	struct nic_value v;
	bool native;
	int fd;

	(void)state;
	make_loader();
	fd = pinned_map("nics");
	assert_int_equal(loader_set_mac(loader, lt0, other), -ENOENT);
	assert_int_equal(loader_attach(loader, lt0, "lt0", LOADER_MODE_AUTO, &native, &f), 0);
	assert_int_equal(bpf_map_lookup_elem(fd, &lt0, &v), 0);
	assert_memory_equal(v.mac, first, 6);
	assert_int_equal(v.number, 0);
	assert_int_equal(loader_set_mac(loader, lt0, other), 0);
	assert_int_equal(bpf_map_lookup_elem(fd, &lt0, &v), 0);
	assert_memory_equal(v.mac, other, 6);
	loader_detach(loader, lt0);
	assert_int_equal(bpf_map_lookup_elem(fd, &lt0, &v), -ENOENT);
	close(fd);
}

static void test_set_socket_bounds(void **state)
{
	bool native;

	(void)state;
	make_loader();
	assert_int_equal(loader_set_socket(loader, lt0, 0, 0), -ENOENT);
	assert_int_equal(loader_attach(loader, lt0, "lt0", LOADER_MODE_AUTO, &native, &f), 0);
	assert_int_equal(loader_set_socket(loader, lt0, NIC_QUEUES_MAX, 0), -ERANGE);
	assert_int_equal(loader_set_socket(loader, lt0, 0, -1), 0);
	assert_true(loader_set_socket(loader, lt0, 0, 0) < 0); /* stdin is no AF_XDP socket */
}

/* --- a real frame into a real socket --------------------------------------------------------- */

#define WAIT_MS 5000

/* Waits until XDP has counted @n packets for the peer in slot 0. */
static void wait_for_count(uint64_t n)
{
	struct peer_stats_value sum = { 0 };

	for (int ms = 0; ms < WAIT_MS && sum.rx_packets < n; ms += 10) {
		assert_int_equal(read_peer_stats(0, &sum), 0);
		usleep(10000);
	}
	assert_int_equal(sum.rx_packets, n);
}

/* The frame arrives in the socket unchanged. After the socket is closed, the next frame is still
 * counted, and passes to the stack. */
static void test_into_a_socket(void **state)
{
	const struct frame_spec spec = { .family = 4, .type = WIRE_DATA, .receiver = 0x89abcdef };
	const struct session_value session = { .slot = 0, .kind = SESSION_DATA };
	const struct peer_value peer = { .name = "a" };
	struct listen_key key = { .address = { [10] = 0xff, 0xff }, .port = htons(FRAME_PORT) };
	const struct xdp_desc *desc;
	struct socket_on_lt0 s;
	struct pollfd wait = { .events = POLLIN };
	struct frame frame;
	uint32_t at = 0;
	bool native;

	(void)state;
	make_loader();
	memcpy(key.address + 12, frame_to4, 4);
	assert_int_equal(loader_attach(loader, lt0, "lt0", LOADER_MODE_AUTO, &native, &f), 0);
	assert_int_equal(loader_set_listen(loader, &key, 1), 0);
	assert_int_equal(loader_peer_set(loader, 0, &peer), 0);
	assert_int_equal(loader_session_set(loader, spec.receiver, &session), 0);
	loader_heartbeat(loader)[0] = INT64_MAX / 2; /* so that worker 0 always counts as alive */
	open_socket(&s);
	wait.fd = xsk_socket__fd(s.xsk);
	assert_int_equal(loader_set_socket(loader, lt0, 0, wait.fd), 0);

	frame_build(&frame, &spec);
	send_frame(&frame);
	assert_int_equal(poll(&wait, 1, WAIT_MS), 1);
	assert_int_equal(xsk_ring_cons__peek(&s.rx, 1, &at), 1);
	desc = xsk_ring_cons__rx_desc(&s.rx, at);
	assert_int_equal(desc->len, frame.len);
	assert_memory_equal(s.area + desc->addr, frame.data, frame.len);
	wait_for_count(1);

	close_socket(&s);
	send_frame(&frame);
	wait_for_count(2);
	assert_int_equal(loader_set_socket(loader, lt0, 0, -1), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(attach_modes),  TEST(lo_is_generic),     TEST(foreign_program),
		TEST(not_displaced), TEST(owner_is_named),    TEST(detached_by_force),
		TEST(nic_goes_away), TEST(is_accepted),	      TEST(no_ethernet),
		TEST(nics_map),	     TEST(set_socket_bounds), TEST(into_a_socket),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("xdplink", tests, setup, NULL);
}
