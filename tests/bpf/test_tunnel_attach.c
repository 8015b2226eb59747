/* SPDX-License-Identifier: MIT */
/*
 * test_tunnel_attach.c - attaches the loader's programs to a tunnel interface and detaches them.
 * After a move of the interface to another namespace, tcx programs still check packets, and clsact
 * filters can be attached again.
 */
#include <sys/wait.h>

#include "tunnel_bench.h"

/* --- attach ---------------------------------------------------------------------------------- */

static void test_attach_again(void **state)
{
	bool tcx;

	(void)state;
	for (int clsact = 0; clsact < 2; clsact++) {
		open_tunnel(clsact);
		assert_true(loader_tunnel_attached(loader));
		assert_int_equal(loader_attach_tunnel(loader, tun, clsact, &tcx, &f), 0);
		assert_int_equal(tcx, !uses_clsact(clsact));
		assert_true(loader_tunnel_attached(loader));
		loader_detach_tunnel(loader);
		assert_false(loader_tunnel_attached(loader));
		loader_detach_tunnel(loader);
		assert_int_equal(loader_attach_tunnel(loader, tun, clsact, &tcx, &f), 0);
		assert_true(loader_tunnel_attached(loader));
		close_tunnel(); /* this removes the interface as well */
		assert_false(loader_tunnel_attached(loader));
		assert_int_equal(loader_attach_tunnel(loader, tun, clsact, &tcx, &f), -ENODEV);
		loader_free(loader);
		loader = NULL;
	}
}

/* Returns the number of tcx programs on the interface: 0 on kernels without tcx. */
static unsigned count_tcx(void)
{
	const enum bpf_attach_type hooks[] = { 46, 47 }; /* BPF_TCX_INGRESS, _EGRESS; Linux 6.6 */
	unsigned n = 0;

	for (unsigned i = 0; i < 2; i++) {
		__u32 count = 0;

		if (!bpf_prog_query((int)tun, hooks[i], 0, NULL, NULL, &count))
			n += count;
	}
	return n;
}

/* Detaching removes everything, including the qdisc. */
static void test_detach_leaves_nothing(void **state)
{
	(void)state;
	for (int clsact = 0; clsact < 2; clsact++) {
		open_tunnel(clsact);
		assert_int_equal(count_tcx(), uses_clsact(clsact) ? 0 : 2);
		loader_detach_tunnel(loader);
		assert_int_equal(count_tcx(), 0);
		run("! tc qdisc show dev ltun | grep -q clsact");
		close_tunnel();
		loader_free(loader);
		loader = NULL;
	}
}

/* Starts a child in a network namespace of its own, moves ltun there, and lets the child set ltun
 * up. *@net is set to an fd of that namespace. */
static pid_t move_away(int *net)
{
	char command[64], path[64];
	int ready[2], go[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe(ready) | pipe(go), 0);
	child = fork();
	if (!child) {
		if (unshare(CLONE_NEWNET) || write(ready[1], "r", 1) != 1 ||
		    read(go[0], &byte, 1) != 1 || system("ip link set lo up") ||
		    system("ip link set ltun up") || write(ready[1], "u", 1) != 1)
			_exit(1);
		pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	snprintf(command, sizeof(command), "ip link set ltun netns %d", child);
	run(command);
	assert_int_equal(write(go[1], "g", 1), 1);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", child);
	*net = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(*net >= 0);
	for (unsigned i = 0; i < 2; i++)
		close(ready[i]), close(go[i]);
	return child;
}

static void end_child(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* Writes a spoofed packet. Returns by how much the counter of inject_mismatch grows: 1 or 0. */
static uint64_t drops_of_spoofed(void)
{
	const struct in_row spoofed = { "", UDP, { 2, 7 }, NEAR, false };
	uint64_t before = dropped(REASON_inject_mismatch).packets;
	struct inner p;

	build(&p, 4, &spoofed);
	loader_tun_writer(loader)[1] = NEAR;
	assert_int_equal(write(queues[1], p.data, p.len), p.len);
	return dropped(REASON_inject_mismatch).packets - before;
}

static void test_move_tcx(void **state)
{
	pid_t child;
	bool tcx;
	int net;

	(void)state;
	if (!denied && !has_tcx())
		skip();
	open_tunnel(false);
	assert_int_equal(drops_of_spoofed(), 1);
	child = move_away(&net);
	assert_true(loader_tunnel_attached(loader));
	assert_int_equal(drops_of_spoofed(), 1);
	assert_int_equal(loader_attach_tunnel(loader, tun, false, &tcx, &f), -ENODEV);
	close(net);
	end_child(child);
	close_tunnel();
}

/* The move to another namespace removes the clsact filters. The loader notices this, and can attach
 * them again after it has entered that namespace. */
static void test_move_clsact(void **state)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), net;
	pid_t child;
	bool tcx;

	(void)state;
	open_tunnel(true);
	child = move_away(&net);
	assert_false(loader_tunnel_attached(loader));
	assert_int_equal(drops_of_spoofed(), 0);
	assert_int_equal(setns(net, CLONE_NEWNET), 0);
	assert_int_equal(loader_attach_tunnel(loader, if_nametoindex("ltun"), true, &tcx, &f), 0);
	assert_true(loader_tunnel_attached(loader));
	assert_int_equal(drops_of_spoofed(), 1);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	close(home);
	close(net);
	end_child(child);
	close_tunnel();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(attach_again),
		TEST(detach_leaves_nothing),
		TEST(move_tcx),
		TEST(move_clsact),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tunnel_attach", tests, setup, NULL);
}
