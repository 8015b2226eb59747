/* SPDX-License-Identifier: MIT */
/*
 * sandbox.h - runs the tests of the loader in a network and a mount namespace of their own, so that
 * they do not touch the host's bpffs and NICs.
 *
 *   lt0 ══ veth ══ lt1      /sys/fs/bpf: a private bpffs
 *
 * Needs root; without it every test is skipped.
 */
#ifndef TESTS_BPF_SANDBOX_H
#define TESTS_BPF_SANDBOX_H

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "../local_route.h"
#include "bpf/loader.h"
#include "bpf/pins.h"

static const char *denied;
static uint32_t lt0;
static struct loader *loader; /* of the running test */
static struct fault f;

static inline void run(const char *command)
{
	if (system(command))
		fail_msg("%s", command);
}

static inline int setup(void **state)
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

static inline int begin(void **state)
{
	(void)state;
	loader = NULL;
	f.text[0] = '\0';
	return 0;
}

static inline int end(void **state)
{
	(void)state;
	loader_free(loader);
	return 0;
}

static inline void make_loader(void)
{
	if (denied)
		skip();
	if (loader_new(&loader, "wg0", &f))
		fail_msg("%s", f.text);
}

static inline bool exists(const char *path)
{
	return !access(path, F_OK);
}

/* Opens a map by its pin, as another process would. */
static inline int pinned_map(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", loader_pinned(loader), name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return fd;
}

/* Sums element @slot of the pinned map peer_stats over all CPUs. Returns 0 or -ENOENT. */
static inline int read_peer_stats(uint32_t slot, struct peer_stats_value *sum)
{
	int cpus = libbpf_num_possible_cpus(), fd = pinned_map("peer_stats"), err;
	struct peer_stats_value each[cpus];

	err = bpf_map_lookup_elem(fd, &slot, each);
	close(fd);
	if (err)
		return err;
	*sum = (struct peer_stats_value){ 0 };
	for (int i = 0; i < cpus; i++) {
		sum->rx_packets += each[i].rx_packets;
		sum->rx_bytes += each[i].rx_bytes;
		sum->tx_packets += each[i].tx_packets;
		sum->tx_bytes += each[i].tx_bytes;
	}
	return 0;
}

static inline uint32_t prog_id(void)
{
	uint32_t id = 0;

	bpf_xdp_query_id(lt0, 0, &id);
	return id;
}

/* Whether this kernel has tcx (Linux 6.6). Without tcx the loader uses clsact. */
static inline bool has_tcx(void)
{
	unsigned major = 0, minor = 0;
	struct utsname kernel;

	uname(&kernel);
	assert_int_equal(sscanf(kernel.release, "%u.%u", &major, &minor), 2);
	return major > 6 || (major == 6 && minor >= 6);
}

/* Whether the loader uses clsact to attach TC programs. @forced: the test asks for clsact. */
static inline bool uses_clsact(bool forced)
{
	return forced || !has_tcx();
}

/* An entry of a test group. The group's setup function must be setup() or call it. */
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)

#endif
