/* SPDX-License-Identifier: MIT */
/*
 * test_loader.c - daemon/loader.c and daemon/pins.c against the kernel, in a network and a mount
 * namespace of their own: nothing of the host's bpffs or NICs is touched.
 *
 *   lt0 ══ veth ══ lt1      /sys/fs/bpf: a bpffs of the test's, or none
 *
 * Needs root.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "daemon/loader.h"
#include "daemon/pins.h"
#include "wgxdp/limits.h"

#define DIR_OF(interface) PINS_ROOT "/wgxdp/" interface

static const char *denied;
static uint32_t lt0;
static struct loader *loader; /* of the running test */
static struct fault f;

static void run(const char *command)
{
	if (system(command))
		fail_msg("%s", command);
}

static int setup(void **state)
{
	(void)state;
	if (geteuid() || unshare(CLONE_NEWNET | CLONE_NEWNS)) {
		denied = "no root";
		print_message("# skipping everything: %s\n", denied);
		return 0;
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("bpf", PINS_ROOT, "bpf", 0, NULL)) {
		print_error("# setup: %s\n", strerror(errno));
		return -1;
	}
	run("ip link set lo up");
	run("ip link add lt0 address 02:57:47:00:00:01 up type veth peer name lt1");
	run("ip link set lt1 up");
	lt0 = if_nametoindex("lt0");
	return 0;
}

static int begin(void **state)
{
	(void)state;
	loader = NULL;
	f.text[0] = '\0';
	return 0;
}

static int end(void **state)
{
	(void)state;
	loader_free(loader);
	return 0;
}

static void make_loader(void)
{
	if (denied)
		skip();
	if (loader_new(&loader, "wg0", &f))
		fail_msg("%s", f.text);
}

static bool exists(const char *path)
{
	return !access(path, F_OK);
}

/* A pinned map as an outsider gets at it. */
static int pinned_map(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", loader_pinned(loader), name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return fd;
}

/* Attaches a program that passes everything, by netlink; returns its fd. */
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

static uint32_t prog_id(void)
{
	uint32_t id = 0;

	bpf_xdp_query_id(lt0, 0, &id);
	return id;
}

/* --- pins ------------------------------------------------------------------------------------ */

static void test_pins_all_maps(void **state)
{
	static const char *const maps[] = { "listen", "sessions", "peers", "peer_stats",
					    "drops",  "passes",	  "nics",  "xsks" };
	struct stat s;

	(void)state;
	make_loader();
	assert_string_equal(loader_pinned(loader), DIR_OF("wg0"));
	assert_int_equal(stat(DIR_OF("wg0"), &s), 0);
	assert_int_equal(s.st_mode, S_IFDIR | 0700);
	assert_int_equal(stat(PINS_ROOT "/wgxdp", &s), 0);
	assert_int_equal(s.st_mode, S_IFDIR | 0700);
	for (unsigned i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		close(pinned_map(maps[i]));
}

static void test_free_leaves_nothing(void **state)
{
	bool native;

	(void)state;
	make_loader();
	assert_int_equal(loader_attach(loader, lt0, "lt0", LOADER_MODE_AUTO, &native, &f), 0);
	loader_free(loader);
	loader = NULL;
	assert_false(exists(PINS_ROOT "/wgxdp"));
	assert_int_equal(prog_id(), 0);
	loader_free(NULL);
}

/* The parent stays as long as another interface is in it. */
static void test_two_interfaces(void **state)
{
	struct loader *other;

	(void)state;
	make_loader();
	assert_int_equal(loader_new(&other, "wg.1-a_b", &f), 0);
	assert_string_equal(loader_pinned(other), DIR_OF("wg:1-a_b"));
	assert_true(exists(DIR_OF("wg:1-a_b") "/peers"));
	loader_free(other);
	assert_false(exists(DIR_OF("wg:1-a_b")));
	assert_true(exists(DIR_OF("wg0") "/peers"));
}

/* kill -9: the link dies with the process, the pins stay; the next one finds a clean house. */
static void test_after_a_crash(void **state)
{
	const struct session_value v = { .slot = 7 };
	uint32_t key;
	int status, fd;
	bool native;
	pid_t child;

	(void)state;
	if (denied)
		skip();
	child = fork();
	if (!child) {
		if (loader_new(&loader, "wg0", &f) || loader_session_set(loader, 7, &v) ||
		    loader_attach(loader, lt0, "lt0", LOADER_MODE_AUTO, &native, &f))
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(exists(DIR_OF("wg0") "/sessions"));

	make_loader();
	fd = pinned_map("sessions");
	assert_int_equal(bpf_map_get_next_key(fd, NULL, &key), -ENOENT);
	close(fd);
	assert_int_equal(loader_attach(loader, lt0, "lt0", LOADER_MODE_AUTO, &native, &f), 0);
}

static void test_foreign_directory(void **state)
{
	(void)state;
	if (denied)
		skip();
	assert_int_equal(mkdir(PINS_ROOT "/wgxdp", 0755), 0);
	assert_int_equal(chown(PINS_ROOT "/wgxdp", 1000, 1000), 0);
	assert_int_equal(loader_new(&loader, "wg0", &f), -EPERM);
	assert_non_null(strstr(f.text, PINS_ROOT "/wgxdp/wg0"));
	assert_null(loader);
	assert_false(exists(DIR_OF("wg0")));
	assert_int_equal(rmdir(PINS_ROOT "/wgxdp"), 0);
}

static void test_bad_names(void **state)
{
	static const char *const names[] = { "", "a/b", "..x/", "0123456789abcdef", "wg:0" };

	(void)state;
	if (denied)
		skip();
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(loader_new(&loader, names[i], &f), -EINVAL);
	assert_false(exists(PINS_ROOT "/wgxdp"));
}

static void test_without_bpffs(void **state)
{
	bool native;

	(void)state;
	if (denied)
		skip();
	assert_int_equal(mount("tmpfs", PINS_ROOT, "tmpfs", 0, NULL), 0);
	make_loader();
	assert_null(loader_pinned(loader));
	assert_int_equal(loader_attach(loader, lt0, "lt0", LOADER_MODE_AUTO, &native, &f), 0);
	loader_free(loader);
	loader = NULL;
	assert_false(exists(PINS_ROOT "/wgxdp"));
	assert_int_equal(umount(PINS_ROOT), 0);
}

/* --- attach ---------------------------------------------------------------------------------- */

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

/* In whichever mode it sits: named, and left where it is. */
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

/* Ours is not displaced either, by netlink or by another wgxdp. */
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
	assert_non_null(strstr(f.text, "wgxdp_ingress"));
	assert_int_equal(prog_id(), id);
	/* It takes over when the first goes. */
	loader_detach(loader, lt0);
	assert_int_equal(loader_attach(other, lt0, "lt0", LOADER_MODE_AUTO, &native, &f), 0);
	loader_free(other);
}

/* The fd of the link by which program @id is attached. */
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

/* As `bpftool link detach` does. It can be attached again. */
static void test_torn_off(void **state)
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
	assert_true(loader_set_socket(loader, lt0, 0, 0) < 0); /* stdin is no XSK */
}

/* --- maps ------------------------------------------------------------------------------------ */

static struct listen_key key_of(unsigned i)
{
	struct listen_key k = { .port = htons(51820) };

	k.address[14] = i >> 8;
	k.address[15] = i;
	return k;
}

static unsigned count_keys(int fd, size_t key_len)
{
	uint8_t key[64], next[64];
	unsigned n = 0;

	assert_true(key_len <= sizeof(key));
	for (void *from = NULL; !bpf_map_get_next_key(fd, from, next); from = key, n++)
		memcpy(key, next, key_len);
	return n;
}

static void test_listen_follows(void **state)
{
	enum { MANY = 500 };
	struct listen_key keys[MANY];
	uint8_t one;
	int fd;

	(void)state;
	make_loader();
	fd = pinned_map("listen");
	for (unsigned i = 0; i < MANY; i++)
		keys[i] = key_of(i);
	assert_int_equal(loader_set_listen(loader, keys, MANY), 0);
	assert_int_equal(count_keys(fd, sizeof(*keys)), MANY);
	/* A window of them, one twice, one new. */
	keys[10] = keys[11];
	keys[12] = key_of(1000);
	assert_int_equal(loader_set_listen(loader, keys + 10, 20), 0);
	assert_int_equal(count_keys(fd, sizeof(*keys)), 19);
	for (unsigned i = 10; i < 30; i++)
		assert_int_equal(bpf_map_lookup_elem(fd, &keys[i], &one), 0);
	assert_int_equal(loader_set_listen(loader, keys, LISTEN_MAX + 1), -ENOSPC);
	assert_int_equal(count_keys(fd, sizeof(*keys)), 19);
	assert_int_equal(loader_set_listen(loader, NULL, 0), 0);
	assert_int_equal(count_keys(fd, sizeof(*keys)), 0);
	close(fd);
}

static void test_sessions(void **state)
{
	struct session_value v = { .slot = 3, .kind = SESSION_PENDING }, got;
	uint32_t index = 0xfffffffe;
	int fd;

	(void)state;
	make_loader();
	fd = pinned_map("sessions");
	assert_int_equal(loader_session_set(loader, index, &v), 0);
	v.kind = SESSION_DATA;
	assert_int_equal(loader_session_set(loader, index, &v), 0);
	assert_int_equal(bpf_map_lookup_elem(fd, &index, &got), 0);
	assert_memory_equal(&got, &v, sizeof(v));
	loader_session_del(loader, index);
	loader_session_del(loader, index);
	assert_int_equal(count_keys(fd, sizeof(index)), 0);
	close(fd);
}

static void test_peers(void **state)
{
	struct peer_value v = { .public_key = "key", .endpoint = "192.0.2.1:1", .name = "a" };
	struct peer_stats_value sum = { .rx_packets = 99 };
	int peers, stats, cpus = libbpf_num_possible_cpus();
	struct peer_stats_value each[cpus];
	uint32_t slot = PEERS_MAX - 1;

	(void)state;
	make_loader();
	peers = pinned_map("peers");
	stats = pinned_map("peer_stats");
	assert_int_equal(loader_peer_stats(loader, slot, &sum), -ENOENT);
	assert_int_equal(sum.rx_packets, 99);
	assert_int_equal(loader_peer_set(loader, slot, &v), 0);
	assert_int_equal(loader_peer_stats(loader, slot, &sum), 0);
	assert_int_equal(sum.rx_packets, 0);

	/* An update leaves the counters alone; they are summed over the CPUs. */
	for (int i = 0; i < cpus; i++)
		each[i] = (struct peer_stats_value){ 1, 20, 300, 4000 };
	assert_int_equal(bpf_map_update_elem(stats, &slot, each, BPF_ANY), 0);
	v.latest_handshake = 5;
	assert_int_equal(loader_peer_set(loader, slot, &v), 0);
	assert_int_equal(loader_peer_stats(loader, slot, &sum), 0);
	assert_int_equal(sum.rx_packets, cpus);
	assert_int_equal(sum.rx_bytes, 20 * cpus);
	assert_int_equal(sum.tx_packets, 300 * cpus);
	assert_int_equal(sum.tx_bytes, 4000 * cpus);

	loader_peer_del(loader, slot);
	assert_int_equal(count_keys(peers, sizeof(slot)), 0);
	assert_int_equal(count_keys(stats, sizeof(slot)), 0);
	close(peers);
	close(stats);
}

/* Room for PEERS_MAX and not one more. The map is filled from outside, through its pin. */
static void test_full_map_changes_nothing(void **state)
{
	struct peer_value v = { .name = "last" };
	uint32_t *keys, n = PEERS_MAX, slot = PEERS_MAX + 7;
	struct peer_value *values;
	struct peer_stats_value sum;
	int fd;

	(void)state;
	make_loader();
	keys = malloc(PEERS_MAX * sizeof(*keys));
	values = calloc(PEERS_MAX, sizeof(*values));
	assert_true(keys && values);
	for (uint32_t i = 0; i < PEERS_MAX; i++)
		keys[i] = i;
	fd = pinned_map("peers");
	assert_int_equal(bpf_map_update_batch(fd, keys, values, &n, NULL), 0);
	assert_int_equal(n, PEERS_MAX);
	assert_int_equal(loader_peer_set(loader, slot, &v), -ENOSPC);
	assert_int_equal(loader_peer_stats(loader, slot, &sum), -ENOENT);
	loader_peer_del(loader, 5);
	assert_int_equal(loader_peer_set(loader, slot, &v), 0);
	close(fd);
	free(values);
	free(keys);
}

/* Real datagrams, counted where they should be. */
static void test_counters_from_the_wire(void **state)
{
	static const char *const send_junk = "bash -c 'printf junk >/dev/udp/192.0.2.1/51820'";
	struct listen_key k = { .address = { [10] = 0xff, 0xff, 192, 0, 2, 1 },
				.port = htons(51820) };
	struct drops_value drops[REASON_COUNT], passes[REASON_COUNT];
	bool native;

	(void)state;
	make_loader();
	/* Over lo, where both ends are ours, with its MAC address of zeros. */
	run("ip address add 198.51.100.1/32 dev lo");
	run("ip route add local 192.0.2.1 dev lo src 198.51.100.1");
	assert_int_equal(loader_attach(loader, 1, "lo", LOADER_MODE_GENERIC, &native, &f), 0);
	assert_int_equal(loader_set_listen(loader, &k, 1), 0);
	run(send_junk);
	loader_set_forwarding(loader, true, false);
	run(send_junk);
	run(send_junk);
	loader_set_forwarding(loader, false, true); /* the other family's is no matter */
	run(send_junk);
	assert_int_equal(loader_drops(loader, drops), 0);
	assert_int_equal(loader_passes(loader, passes), 0);
	for (int r = 0; r < REASON_COUNT; r++) {
		assert_int_equal(drops[r].packets, r == REASON_malformed ? 2 : 0);
		assert_int_equal(passes[r].packets, r == REASON_malformed ? 2 : 0);
		/* Ethernet 14, IPv4 20, UDP 8, "junk" 4 */
		assert_int_equal(drops[r].bytes, r == REASON_malformed ? 2 * 46 : 0);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)
	static const struct CMUnitTest tests[] = {
		TEST(pins_all_maps),
		TEST(free_leaves_nothing),
		TEST(two_interfaces),
		TEST(after_a_crash),
		TEST(foreign_directory),
		TEST(bad_names),
		TEST(without_bpffs),
		TEST(attach_modes),
		TEST(lo_is_generic),
		TEST(foreign_program),
		TEST(not_displaced),
		TEST(torn_off),
		TEST(nic_goes_away),
		TEST(no_ethernet),
		TEST(nics_map),
		TEST(set_socket_bounds),
		TEST(listen_follows),
		TEST(sessions),
		TEST(peers),
		TEST(full_map_changes_nothing),
		TEST(counters_from_the_wire),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("loader", tests, setup, NULL);
}
