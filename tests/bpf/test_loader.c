/* SPDX-License-Identifier: MIT */
/*
 * test_loader.c - tests the loader's maps and their pins with the real kernel.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "bpf/loader_private.h"
#include "sandbox.h"
#include "wgxdp/limits.h"

#define DIR_OF(interface) PINS_ROOT "/wgxdp/" interface

/* --- pins ------------------------------------------------------------------------------------ */

static void test_pins_all_maps(void **state)
{
	static const char *const maps[] = { "listen",	 "sessions",   "peers",	    "peer_stats",
					    "drops",	 "passes",     "nics",	    "xsks",
					    "peer_auth", "allowed4",   "allowed6",  "mac_keys",
					    "events",	 "tun_writer", "heartbeat", "socks" };
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

/* When the loader of one tunnel interface is freed, the pins of another tunnel interface stay. */
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

/* A child process exits without freeing its loader, as after kill -9. Its XDP link is gone, but its
 * pins stay. The next loader of the same interface removes the pins. */
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

/* Creates a loader for @interface. The loader must not pin the maps, must give @why as the reason,
 * and must otherwise work. */
static void assert_unpinned(const char *interface, const char *why)
{
	bool native;

	if (loader_new(&loader, interface, &f))
		fail_msg("%s", f.text);
	assert_null(loader_pinned(loader));
	if (!strstr(loader_unpinned_why(loader), why))
		fail_msg("no \"%s\" in \"%s\"", why, loader_unpinned_why(loader));
	assert_int_equal(loader_attach(loader, lt0, "lt0", LOADER_MODE_AUTO, &native, &f), 0);
	loader_free(loader);
	loader = NULL;
}

/* Another user may have made our directory in a bpffs that everybody can write to. In this
 * case nothing is pinned. */
static void test_foreign_directory(void **state)
{
	(void)state;
	if (denied)
		skip();
	assert_int_equal(mkdir(PINS_ROOT "/wgxdp", 0755), 0);
	assert_int_equal(chown(PINS_ROOT "/wgxdp", 1000, 1000), 0);
	assert_unpinned("wg0", PINS_ROOT "/wgxdp belongs to user 1000");
	assert_false(exists(DIR_OF("wg0")));
	assert_int_equal(rmdir(PINS_ROOT "/wgxdp"), 0);
	assert_int_equal(symlink("/tmp", PINS_ROOT "/wgxdp"), 0);
	assert_unpinned("wg0", PINS_ROOT "/wgxdp: ");
	assert_int_equal(unlink(PINS_ROOT "/wgxdp"), 0);
}

/* If others may write to the bpffs and it has no sticky bit, they can replace our directory, so
 * nothing is pinned. With the sticky bit they cannot. */
static void test_writable_root(void **state)
{
	(void)state;
	if (denied)
		skip();
	assert_int_equal(chmod(PINS_ROOT, 0777), 0);
	assert_unpinned("wg0", "other users may write to " PINS_ROOT);
	assert_false(exists(PINS_ROOT "/wgxdp"));
	assert_int_equal(chmod(PINS_ROOT, 01777), 0);
	make_loader();
	assert_non_null(loader_pinned(loader));
	assert_null(loader_unpinned_why(loader));
}

static void test_root_of_another_user(void **state)
{
	(void)state;
	if (denied)
		skip();
	assert_int_equal(chown(PINS_ROOT, 1000, 1000), 0);
	assert_unpinned("wg0", PINS_ROOT " belongs to user 1000");
	assert_int_equal(chown(PINS_ROOT, 0, 0), 0);
}

/* Two daemons in containers that share a bpffs can use the same interface name. When the second
 * starts or ends, it must not remove the pins of the first. */
static void test_live_owner(void **state)
{
	int ready[2], status;
	pid_t child;
	char byte;

	(void)state;
	if (denied)
		skip();
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (!child) {
		if (loader_new(&loader, "wg0", &f) || write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	assert_unpinned("wg0", DIR_OF("wg0") " belongs to another running daemon");
	pins_clean("wg0");
	assert_true(exists(DIR_OF("wg0") "/peers"));
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(exists(DIR_OF("wg0") "/peers"));
	make_loader();
	assert_string_equal(loader_pinned(loader), DIR_OF("wg0"));
}

/* pins_clean() removes the pins of a dead daemon without creating a loader. */
static void test_clean(void **state)
{
	int status;
	pid_t child;

	(void)state;
	if (denied)
		skip();
	child = fork();
	if (!child)
		_exit(loader_new(&loader, "wg0", &f) != 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(exists(DIR_OF("wg0") "/peers"));
	pins_clean("wg1");
	assert_true(exists(DIR_OF("wg0") "/peers"));
	pins_clean("wg0");
	assert_false(exists(PINS_ROOT "/wgxdp"));
}

/* If loading fails with EACCES, the verifier has refused the program or the process lacks a
 * capability. This process has all capabilities, so the error must blame the verifier. */
static void test_refused_by_the_verifier(void **state)
{
	(void)state;
	if (denied)
		skip();
	assert_int_equal(loader_load_fault(-EACCES, &f), -ENOTSUP);
	assert_non_null(strstr(f.text, "verifier refuses it"));
	assert_int_equal(loader_load_fault(-EPERM, &f), -EPERM);
}

static void test_bad_names(void **state)
{
	static const char *const names[] = { "", "a/b", "..x/", "0123456789abcdef", "wg:0" };

	(void)state;
	if (denied)
		skip();
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_unpinned(names[i], "is not a valid interface name");
	assert_false(exists(PINS_ROOT "/wgxdp"));
}

/* If another file system is mounted in place of the bpffs, the loader pins nothing there. */
static void test_other_file_system(void **state)
{
	(void)state;
	if (denied)
		skip();
	assert_int_equal(mount("tmpfs", PINS_ROOT, "tmpfs", 0, NULL), 0);
	assert_unpinned("wg0", "another file system");
	assert_false(exists(PINS_ROOT "/wgxdp"));
	assert_int_equal(umount(PINS_ROOT), 0);
}

/* If nothing is mounted on /sys/fs/bpf, the loader mounts a bpffs there that only root may enter.
 * The bpffs stays mounted, and the next loader does not mount another one. */
static void test_mounts_bpffs(void **state)
{
	struct stat s;

	(void)state;
	if (denied)
		skip();
	assert_int_equal(mount("sysfs", "/sys", "sysfs", 0, NULL), 0);
	make_loader();
	assert_string_equal(loader_pinned(loader), DIR_OF("wg0"));
	assert_int_equal(stat(PINS_ROOT, &s), 0);
	assert_int_equal(s.st_mode & 0777, 0700);
	loader_free(loader);
	loader = NULL;
	make_loader();
	assert_int_equal(umount2(PINS_ROOT, MNT_DETACH), 0);
	assert_false(exists(PINS_ROOT "/wgxdp"));
	assert_int_equal(umount2("/sys", MNT_DETACH), 0);
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
	/* The next call gets 20 of the keys; one key occurs twice and one is new. */
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
	struct peer_stats_value sum = { 0 };
	int peers, stats, cpus = libbpf_num_possible_cpus();
	struct peer_stats_value each[cpus];
	uint32_t slot = PEERS_MAX - 1;

	(void)state;
	make_loader();
	peers = pinned_map("peers");
	stats = pinned_map("peer_stats");
	assert_int_equal(read_peer_stats(slot, &sum), -ENOENT);
	assert_int_equal(loader_peer_set(loader, slot, &v), 0);
	assert_int_equal(read_peer_stats(slot, &sum), 0);
	assert_int_equal(sum.rx_packets, 0);

	/* An update does not change the counters. */
	for (int i = 0; i < cpus; i++)
		each[i] = (struct peer_stats_value){ 1, 20, 300, 4000 };
	assert_int_equal(bpf_map_update_elem(stats, &slot, each, BPF_ANY), 0);
	v.latest_handshake = 5;
	assert_int_equal(loader_peer_set(loader, slot, &v), 0);
	assert_int_equal(read_peer_stats(slot, &sum), 0);
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

/* The map `peers` holds exactly PEERS_MAX entries. The test fills the map through its pin. Then
 * loader_peer_set() of another peer must fail, and must not add the peer to `peer_stats`. */
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
	assert_int_equal(read_peer_stats(slot, &sum), -ENOENT);
	loader_peer_del(loader, 5);
	assert_int_equal(loader_peer_set(loader, slot, &v), 0);
	close(fd);
	free(values);
	free(keys);
}

/* The XDP program drops malformed datagrams and counts them in the map `drops`. While the host
 * forwards IPv4, the program passes them and counts them in the map `passes`. */
static void test_counters_from_the_wire(void **state)
{
	static const char *const send_junk = "bash -c 'printf junk >/dev/udp/192.0.2.1/51820'";
	struct listen_key k = { .address = { [10] = 0xff, 0xff, 192, 0, 2, 1 },
				.port = htons(51820) };
	struct drops_value drops[REASON_COUNT], passes[REASON_COUNT];
	bool native;

	(void)state;
	make_loader();
	/* The program ignores frames that are not sent to the MAC address of the NIC. All frames on
	 * lo are sent to the MAC address of lo. */
	run("ip address add 198.51.100.1/32 dev lo");
	run("ip route add local 192.0.2.1 dev lo src 198.51.100.1");
	assert_int_equal(loader_attach(loader, 1, "lo", LOADER_MODE_GENERIC, &native, &f), 0);
	assert_int_equal(loader_set_listen(loader, &k, 1), 0);
	run(send_junk);
	loader_set_forwarding(loader, true, false);
	run(send_junk);
	run(send_junk);
	loader_set_forwarding(loader, false, true); /* forwarding of IPv6 must not matter */
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
	static const struct CMUnitTest tests[] = {
		TEST(pins_all_maps),
		TEST(free_leaves_nothing),
		TEST(two_interfaces),
		TEST(after_a_crash),
		TEST(foreign_directory),
		TEST(writable_root),
		TEST(root_of_another_user),
		TEST(live_owner),
		TEST(clean),
		TEST(bad_names),
		TEST(refused_by_the_verifier),
		TEST(other_file_system),
		TEST(mounts_bpffs),
		TEST(listen_follows),
		TEST(sessions),
		TEST(peers),
		TEST(full_map_changes_nothing),
		TEST(counters_from_the_wire),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("loader", tests, setup, NULL);
}
