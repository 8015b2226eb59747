/* SPDX-License-Identifier: MIT */
/*
 * test_chainlink.c - sharing a NIC through libxdp's dispatcher. If the kernel refuses programs of
 * type EXT, chainlink_open() fails before it changes anything. If libxdp attaches our program
 * without its dispatcher, chainlink_open() detaches the program and fails.
 */
#include <dlfcn.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <sys/wait.h>

#include "bpf/chainlink.h"
#include "sandbox.h"

/* While @pretend is true, libbpf_probe_bpf_prog_type(), which replaces libbpf's function in this
 * test, says that the kernel supports programs of type EXT. */
static bool pretend;

int libbpf_probe_bpf_prog_type(enum bpf_prog_type type, const void *opts)
{
	int (*real)(enum bpf_prog_type, const void *) =
		(int (*)(enum bpf_prog_type, const void *))dlsym(RTLD_NEXT, __func__);

	return pretend ? 1 : real(type, opts);
}

static bool has_ext(void)
{
	return libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_EXT, NULL) > 0;
}

/* libxdp's directory may stay, but must contain no files. */
static void assert_nothing_left(void)
{
	assert_int_equal(prog_id(), 0);
	run("test -z \"$(find " PINS_ROOT "/xdp -type f 2>/dev/null)\"");
}

static int chain(struct loader *l, enum loader_mode mode)
{
	bool native;

	return loader_attach_chained(l, lt0, "lt0", mode, &native, &f);
}

static void test_kernel_without_ext(void **state)
{
	bool native;

	(void)state;
	make_loader();
	if (has_ext())
		skip();
	assert_int_equal(chain(loader, LOADER_MODE_AUTO), -ENOTSUP);
	assert_string_equal(f.text, "lt0: this kernel refuses BPF programs of type EXT, which "
				    "--chain needs to share a NIC; leave out --chain");
	assert_false(loader_attached(loader, lt0));
	assert_nothing_left();
	assert_false(exists(PINS_ROOT "/xdp"));
	assert_int_equal(loader_attach(loader, lt0, "lt0", LOADER_MODE_AUTO, &native, &f), 0);
}

/* If libxdp attached our program by netlink, without its dispatcher, the program would outlive this
 * process and could not share the NIC. In every mode chainlink_open() must detach the program and
 * fail. */
static void refused_and_undone(void)
{
	static const enum loader_mode modes[] = { LOADER_MODE_AUTO, LOADER_MODE_NATIVE,
						  LOADER_MODE_GENERIC };
	bool native;

	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(chain(loader, modes[i]), -ENOTSUP);
		assert_non_null(strstr(f.text, "lt0: libxdp"));
		assert_non_null(strstr(f.text, "leave out --chain"));
		assert_false(loader_attached(loader, lt0));
		assert_nothing_left();
	}
	assert_int_equal(loader_attach(loader, lt0, "lt0", LOADER_MODE_AUTO, &native, &f), 0);
}

static void test_libxdp_falls_back(void **state)
{
	(void)state;
	make_loader();
	if (has_ext())
		skip();
	pretend = true;
	refused_and_undone();
}

static void test_libxdp_is_told_to(void **state)
{
	(void)state;
	make_loader();
	pretend = true;
	setenv("LIBXDP_SKIP_DISPATCHER", "1", 1);
	refused_and_undone();
}

static void test_foreign_stays(void **state)
{
	const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	uint32_t id;
	int fd;

	(void)state;
	make_loader();
	fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "neighbour", "GPL", pass, 2, NULL);
	assert_true(fd >= 0);
	assert_int_equal(bpf_xdp_attach(lt0, fd, XDP_FLAGS_DRV_MODE, NULL), 0);
	id = prog_id();
	pretend = true;
	assert_int_equal(chain(loader, LOADER_MODE_AUTO), -EBUSY);
	assert_non_null(strstr(f.text, "neighbour"));
	assert_int_equal(prog_id(), id);
	assert_int_equal(bpf_xdp_detach(lt0, XDP_FLAGS_DRV_MODE, NULL), 0);
	close(fd);
}

static void test_needs_pins(void **state)
{
	(void)state;
	if (denied)
		skip();
	assert_int_equal(mount("tmpfs", PINS_ROOT, "tmpfs", 0, NULL), 0);
	make_loader();
	pretend = true;
	assert_int_equal(chain(loader, LOADER_MODE_AUTO), -ENOTSUP);
	assert_non_null(strstr(f.text, PINS_ROOT));
	assert_nothing_left();
	assert_int_equal(umount(PINS_ROOT), 0);
}

/* Two tunnel interfaces share one NIC. The process of the second one exits without detaching its
 * program. The program must stay attached until chainlink_clean() removes it. On a kernel whose
 * verifier refuses our program in the dispatcher, the test checks only that the error advises to
 * leave out --chain, and that nothing stays attached. */
static void test_two_in_a_dispatcher(void **state)
{
	int status;
	pid_t child;

	(void)state;
	make_loader();
	if (!has_ext())
		skip();
	if (chain(loader, LOADER_MODE_AUTO)) {
		print_message("# %s\n", f.text);
		assert_non_null(strstr(f.text, "leave out --chain"));
		assert_nothing_left();
		return;
	}
	child = fork();
	if (!child) {
		struct loader *other;

		_exit(loader_new(&other, "wg1", &f) || chain(other, LOADER_MODE_AUTO));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(loader_attached(loader, lt0));
	loader_detach(loader, lt0);
	assert_int_not_equal(prog_id(), 0);
	chainlink_clean("wg1");
	assert_nothing_left();
}

static int end_chain(void **state)
{
	pretend = false;
	unsetenv("LIBXDP_SKIP_DISPATCHER");
	return end(state);
}

#define CHAIN_TEST(name) cmocka_unit_test_setup_teardown(test_##name, begin, end_chain)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CHAIN_TEST(kernel_without_ext), CHAIN_TEST(libxdp_falls_back),
		CHAIN_TEST(libxdp_is_told_to),	CHAIN_TEST(foreign_stays),
		CHAIN_TEST(needs_pins),		CHAIN_TEST(two_in_a_dispatcher),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("chainlink", tests, setup, NULL);
}
