/* SPDX-License-Identifier: MIT */
/*
 * test_tclink.c - the loader's TC program on a NIC: tcx and clsact, filters of other programs,
 * filters that a dead daemon has left, and a real frame that the program drops.
 */
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "bpf/tclink.h"
#include "frames.h"
#include "sandbox.h"

#define OURS "wgxdp_nic"

static int attach_nic(struct loader *l, bool force_clsact)
{
	bool tcx = force_clsact;
	int err = loader_attach_nic_tc(l, lt0, "lt0", force_clsact, &tcx, &f);

	if (!err)
		assert_int_equal(tcx, !uses_clsact(force_clsact));
	return err;
}

/* Returns how many lines of `tc filter show` for lt0 contain @name. */
static int filters_named(const char *name)
{
	char command[128], line[16] = "";
	FILE *pipe;

	snprintf(command, sizeof(command), "tc filter show dev lt0 ingress | grep -c '%s'", name);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_non_null(fgets(line, sizeof(line), pipe));
	pclose(pipe);
	return (int)strtol(line, NULL, 10);
}

static bool has_clsact(void)
{
	return !system("tc qdisc show dev lt0 | grep -q clsact");
}

/* Adds a foreign filter that passes everything. */
static void add_foreign(uint32_t handle)
{
	const struct bpf_insn on[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = TC_ACT_UNSPEC },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)lt0, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = handle, .priority = 1);
	int err = bpf_tc_hook_create(&hook);

	assert_true(!err || err == -EEXIST);
	opts.prog_fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "neighbour", "GPL", on, 2, NULL);
	assert_true(opts.prog_fd >= 0);
	assert_int_equal(bpf_tc_attach(&hook, &opts), 0);
	close(opts.prog_fd);
}

static void remove_foreign(void)
{
	run("tc qdisc del dev lt0 clsact");
}

/* --- attach and detach ----------------------------------------------------------------------- */

static void test_attach(void **state)
{
	bool native;

	(void)state;
	make_loader();
	for (int clsact = 0; clsact < 2; clsact++) {
		assert_int_equal(attach_nic(loader, clsact), 0);
		assert_true(loader_attached(loader, lt0));
		assert_int_equal(has_clsact(), uses_clsact(clsact));
		assert_int_equal(filters_named(OURS), uses_clsact(clsact));
		assert_int_equal(attach_nic(loader, clsact), -EALREADY);
		assert_int_equal(loader_attach(loader, lt0, "lt0", LOADER_MODE_AUTO, &native, &f),
				 -EALREADY);
		loader_detach(loader, lt0);
		assert_false(loader_attached(loader, lt0));
		assert_false(has_clsact());
	}
	/* After the TC program is detached, the XDP program can be attached to the same NIC. */
	assert_int_equal(loader_attach(loader, lt0, "lt0", LOADER_MODE_AUTO, &native, &f), 0);
	assert_int_equal(attach_nic(loader, false), -EALREADY);
}

static void test_refusals(void **state)
{
	bool tcx;

	(void)state;
	make_loader();
	run("ip tuntap add ltun2 mode tun");
	assert_int_equal(loader_attach_nic_tc(loader, if_nametoindex("ltun2"), "ltun2", false, &tcx,
					      &f),
			 -EOPNOTSUPP);
	run("ip link del ltun2");
	assert_int_equal(loader_attach_nic_tc(loader, 9999, "ltun2", false, &tcx, &f), -ENODEV);
	for (int clsact = 0; clsact < 2; clsact++) {
		/* The name exists, but the ifindex does not. */
		assert_int_equal(loader_attach_nic_tc(loader, 9999, "lt0", clsact, &tcx, &f),
				 -ENODEV);
		assert_non_null(strstr(f.text, "lt0: no such interface"));
		assert_false(loader_attached(loader, 9999));
	}
}

static void test_nic_goes_away(void **state)
{
	bool tcx;

	(void)state;
	make_loader();
	for (int clsact = 0; clsact < 2; clsact++) {
		uint32_t index;

		run("ip link add lt2 up type veth peer name lt3");
		index = if_nametoindex("lt2");
		assert_int_equal(loader_attach_nic_tc(loader, index, "lt2", clsact, &tcx, &f), 0);
		assert_true(loader_attached(loader, index));
		run("ip link del lt2");
		assert_false(loader_attached(loader, index));
		loader_detach(loader, index);
	}
}

/* --- foreign filters ------------------------------------------------------------------------- */

/* A foreign filter that existed before the loader attached is still there after the loader has
 * detached. */
static void test_foreign_filter_before(void **state)
{
	(void)state;
	make_loader();
	add_foreign(1);
	assert_int_equal(attach_nic(loader, true), 0);
	assert_int_equal(filters_named("neighbour"), 1);
	loader_detach(loader, lt0);
	assert_int_equal(filters_named("neighbour"), 1);
	assert_int_equal(filters_named(OURS), 0);
	remove_foreign();
}

/* The loader creates the qdisc, and another program adds a filter on ingress or on egress. When the
 * loader detaches, this filter stays. */
static void test_foreign_filter_after(void **state)
{
	(void)state;
	make_loader();
	assert_int_equal(attach_nic(loader, true), 0);
	add_foreign(1);
	loader_detach(loader, lt0);
	assert_int_equal(filters_named("neighbour"), 1);
	assert_int_equal(filters_named(OURS), 0);
	remove_foreign();

	assert_int_equal(attach_nic(loader, true), 0);
	run("tc filter add dev lt0 egress protocol ip prio 3 bpf bytecode '1,6 0 0 0'");
	loader_detach(loader, lt0);
	assert_true(has_clsact());
	remove_foreign();
}

/* When the loader detaches, an empty foreign qdisc stays, because its owner may be about to add
 * filters. */
static void test_foreign_qdisc(void **state)
{
	(void)state;
	make_loader();
	run("tc qdisc add dev lt0 clsact");
	assert_int_equal(attach_nic(loader, true), 0);
	loader_detach(loader, lt0);
	assert_true(has_clsact());
	remove_foreign();
}

/* Two tunnel interfaces attach their programs to one NIC. */
static void test_two_interfaces(void **state)
{
	struct loader *other;

	(void)state;
	make_loader();
	assert_int_equal(loader_new(&other, "wg1", &f), 0);
	for (int clsact = 0; clsact < 2; clsact++) {
		assert_int_equal(attach_nic(loader, clsact), 0);
		assert_int_equal(attach_nic(other, clsact), 0);
		assert_true(loader_attached(loader, lt0) && loader_attached(other, lt0));
		loader_detach(other, lt0);
		assert_true(loader_attached(loader, lt0));
		loader_detach(loader, lt0);
		/* The interface that detaches last removes the qdisc, whichever interface created
		 * it. */
		assert_int_equal(attach_nic(loader, clsact), 0);
		assert_int_equal(attach_nic(other, clsact), 0);
		loader_detach(loader, lt0);
		assert_int_equal(filters_named(OURS), uses_clsact(clsact));
		loader_detach(other, lt0);
		assert_false(has_clsact());
	}
	loader_free(other);
}

/* Lets a child process attach the program and exit without detaching it, as after kill -9. */
static void attach_and_die(bool clsact)
{
	pid_t child = fork();
	int status;

	if (!child) {
		bool tcx;

		_exit(loader_new(&loader, "wg0", &f) ||
		      loader_attach_nic_tc(loader, lt0, "lt0", clsact, &tcx, &f));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(filters_named(OURS), uses_clsact(clsact));
}

/* After kill -9 nothing is left if the program was attached by tcx. A clsact filter stays until the
 * next loader of the same interface name removes it, together with the qdisc if wgxdp created the
 * qdisc. */
static void test_after_a_crash(void **state)
{
	(void)state;
	if (denied)
		skip();
	for (int i = 0; i < 3; i++) {
		bool clsact = i > 0, found = i > 1;

		if (found)
			run("tc qdisc add dev lt0 clsact");
		attach_and_die(clsact);
		make_loader();
		assert_int_equal(filters_named(OURS), 0);
		assert_int_equal(has_clsact(), found);
		assert_int_equal(attach_nic(loader, clsact), 0);
		assert_int_equal(filters_named(OURS), uses_clsact(clsact));
		loader_detach(loader, lt0);
		assert_int_equal(filters_named(OURS), 0);
		assert_int_equal(has_clsact(), found);
		loader_free(loader);
		loader = NULL;
	}
	remove_foreign();
}

/* tclink_clean() removes what is left after a crash, without attaching anything, and only for the
 * given interface name. */
static void test_clean(void **state)
{
	(void)state;
	if (denied)
		skip();
	for (int found = 0; found < 2; found++) {
		if (found)
			run("tc qdisc add dev lt0 clsact");
		attach_and_die(true);
		tclink_clean("wg1");
		assert_int_equal(filters_named(OURS), 1);
		tclink_clean("wg0");
		assert_int_equal(filters_named(OURS), 0);
		assert_int_equal(has_clsact(), found);
		tclink_clean("wg0");
	}
	remove_foreign();
}

/* After `tc filter del` the program can be attached again. */
static void test_detached_by_force(void **state)
{
	(void)state;
	make_loader();
	assert_int_equal(attach_nic(loader, true), 0);
	run("tc filter del dev lt0 ingress");
	assert_false(loader_attached(loader, lt0));
	loader_detach(loader, lt0);
	assert_int_equal(attach_nic(loader, true), 0);
	assert_true(loader_attached(loader, lt0));
	loader_detach(loader, lt0);
	run("tc qdisc del dev lt0 clsact");
}

/* --- from the wire --------------------------------------------------------------------------- */

#define WAIT_MS 5000

static void send_frame(const struct frame *frame)
{
	const struct sockaddr_ll to = { .sll_family = AF_PACKET,
					.sll_ifindex = (int)if_nametoindex("lt1") };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	assert_int_equal(sendto(fd, frame->data, frame->len, 0, (const void *)&to, sizeof(to)),
			 frame->len);
	close(fd);
}

static void wait_for_drops(enum reason reason, uint64_t packets)
{
	struct drops_value sums[REASON_COUNT] = { 0 };

	for (int ms = 0; ms < WAIT_MS && sums[reason].packets < packets; ms += 10) {
		assert_int_equal(loader_drops(loader, sums), 0);
		usleep(10000);
	}
	assert_int_equal(sums[reason].packets, packets);
}

static struct event sampled;

static void note(void *ctx, const struct event *e)
{
	*(unsigned *)ctx += 1;
	sampled = *e;
}

static void test_drops(void **state)
{
	const struct frame_spec unknown = { .family = 6, .type = WIRE_DATA, .receiver = 5 };
	struct listen_key key = { .port = htons(FRAME_PORT) };
	unsigned seen = 0;
	struct frame frame;

	(void)state;
	make_loader();
	memcpy(key.address, frame_to6, 16);
	assert_int_equal(loader_set_listen(loader, &key, 1), 0);
	loader_heartbeat(loader)[0] = INT64_MAX / 2;
	frame_build(&frame, &unknown);
	for (int clsact = 0; clsact < 2; clsact++) {
		assert_int_equal(attach_nic(loader, clsact), 0);
		send_frame(&frame);
		wait_for_drops(REASON_unknown_index, clsact + 1);
		loader_detach(loader, lt0);
	}
	assert_int_equal(loader_events_read(loader, note, &seen), 2);
	assert_int_equal(seen, 2);
	assert_int_equal(sampled.reason, REASON_unknown_index);
	assert_int_equal(sampled.ifindex, lt0);
	assert_int_equal(sampled.hook, EVENT_NIC);
	assert_memory_equal(sampled.head, frame.data + frame.at[L3], EVENT_HEAD_LEN);
	assert_int_equal(loader_events_read(loader, NULL, NULL), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(attach),
		TEST(refusals),
		TEST(nic_goes_away),
		TEST(foreign_filter_before),
		TEST(foreign_filter_after),
		TEST(foreign_qdisc),
		TEST(two_interfaces),
		TEST(after_a_crash),
		TEST(clean),
		TEST(detached_by_force),
		TEST(drops),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tclink", tests, setup, NULL);
}
