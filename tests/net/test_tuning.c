/* SPDX-License-Identifier: MIT */
/* test_tuning.c - makes, records and undoes changes of a veth's offloads and channels. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/record_file.h"
#include "host/tuning.h"
#include "io/netlink.h"
#include "own_run.h"
#include "util/log.h"

static char interface[IFNAME_MAX + 1], path[RECORD_FILE_PATH_LEN];
static uint32_t ifindex;

static void sh(const char *line)
{
	if (system(line))
		fail_msg("%s", line);
}

static bool gro_is_on(void)
{
	struct ethtool_offload_state all[ETHTOOL_OFFLOADS];

	assert_int_equal(ethtool_offloads("a0", all), 0);
	return all[ETHTOOL_GRO].on;
}

static unsigned rx_channels(void)
{
	struct ethtool_counts now, max;

	assert_int_equal(ethtool_channels("a0", &now, &max), 0);
	return now.rx;
}

static int setup(void **state)
{
	struct netlink_link link;
	struct netlink *nl;

	(void)state;
	own_run_setup();
	snprintf(interface, sizeof(interface), "wt%d", getpid());
	record_file_path(path, interface, "nics");
	sh("ip link add a0 numrxqueues 4 numtxqueues 4 type veth peer name b0; "
	   "ethtool -L a0 rx 1 tx 1; ethtool -K a0 gro on");
	nl = netlink_open();
	assert_non_null(nl);
	assert_int_equal(netlink_link(nl, "a0", 0, &link), 0);
	netlink_close(nl);
	ifindex = link.ifindex;
	return 0;
}

static struct tuning_change gro_off(void)
{
	return (struct tuning_change){ .ifindex = ifindex,
				       .is_offload = true,
				       .offload = ETHTOOL_GRO };
}

static struct tuning_change channels(uint32_t from, uint32_t to)
{
	return (struct tuning_change){ .ifindex = ifindex,
				       .before = { from, 1, 0 },
				       .after = { to, 1, 0 } };
}

static void test_undo(void **state)
{
	struct tuning t = { .interface = interface };
	const struct tuning_change one = gro_off(), two = channels(1, 3);

	(void)state;
	assert_int_equal(tuning_make(&t, "a0", &one, NULL), 0);
	assert_int_equal(tuning_make(&t, "a0", &two, NULL), 0);
	assert_true(!gro_is_on() && rx_channels() == 3);
	assert_int_equal(access(path, F_OK), 0);
	tuning_undo(&t);
	assert_true(gro_is_on() && rx_channels() == 1);
	assert_int_not_equal(access(path, F_OK), 0);
}

/* The changes that a dead daemon has recorded are undone, even if the link was renamed since. */
static void test_record_undo(void **state)
{
	struct tuning t = { .interface = interface };
	const struct tuning_change one = gro_off(), two = channels(1, 3);

	(void)state;
	assert_int_equal(tuning_make(&t, "a0", &one, NULL), 0);
	assert_int_equal(tuning_make(&t, "a0", &two, NULL), 0);
	sh("ip link set a0 name c0");
	assert_int_equal(tuning_record_undo(interface, NULL), 0);
	sh("ip link set c0 name a0");
	assert_true(gro_is_on() && rx_channels() == 1);
	assert_int_not_equal(access(path, F_OK), 0);
}

/* A setting that somebody else changed in the meantime is not restored. */
static void test_others(void **state)
{
	struct tuning t = { .interface = interface };
	const struct tuning_change one = gro_off(), two = channels(1, 3);

	(void)state;
	assert_int_equal(tuning_make(&t, "a0", &one, NULL), 0);
	assert_int_equal(tuning_make(&t, "a0", &two, NULL), 0);
	sh("ethtool -L a0 rx 2");
	tuning_undo(&t);
	assert_true(gro_is_on() && rx_channels() == 2);
	sh("ethtool -L a0 rx 1");
}

/* Returns true if tuning_undo() does not try to switch LRO on again. On a veth, which has no LRO,
 * the attempt would fail, and the change would stay in the list. */
static bool lro_stays_off(void)
{
	struct tuning t = { .interface = interface, .count = 1, .changes = { gro_off() } };

	t.changes[0].offload = ETHTOOL_LRO;
	tuning_undo(&t);
	unlink(path);
	return t.count == 0;
}

/* LRO is not switched on again on a link that now forwards packets or is a port of a bridge. */
static void test_forwarding(void **state)
{
	(void)state;
	assert_false(lro_stays_off());
	sh("echo 1 >/proc/sys/net/ipv4/conf/a0/forwarding");
	assert_true(lro_stays_off());
	sh("echo 0 >/proc/sys/net/ipv4/conf/a0/forwarding; ip link add br0 type bridge; "
	   "ip link set a0 master br0");
	assert_true(lro_stays_off());
	sh("ip link delete br0");
	assert_false(lro_stays_off());
}

static void test_failure(void **state)
{
	struct tuning t = { .interface = interface };
	const struct tuning_change too_many = channels(1, 9);
	struct tuning_change gone = gro_off();
	struct fault f;

	(void)state;
	assert_int_equal(tuning_make(&t, "a0", &too_many, &f), -EINVAL);
	assert_string_equal(f.text,
			    "`ethtool -L a0 rx 9 tx 1` failed: Invalid argument; the setting "
			    "is unchanged");
	assert_int_equal(t.count, 0);
	assert_int_not_equal(access(path, F_OK), 0);
	/* A change to a link that no longer exists counts as undone. */
	assert_int_equal(tuning_make(&t, "a0", &gone, &f), 0);
	t.changes[0].ifindex = 999999;
	tuning_undo(&t);
	assert_int_not_equal(access(path, F_OK), 0);
	sh("ethtool -K a0 gro on");
}

static bool is_logged(const char *sentence)
{
	struct log_line line = { 0 };
	bool found = false;

	while (log_ring_next(&line))
		found |= strstr(line.text, sentence) != NULL;
	return found;
}

static void test_unusable_record(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(tuning_record_undo(interface, NULL), 0);
	rmdir(path);
	assert_true(is_logged(": this is not a regular file; remove it"));
	assert_true(is_logged("this record of host settings cannot be updated: Is a directory"));
}

/* While the record cannot be read, no daemon can start, because it would replace the record. */
static void test_unreadable_record(void **state)
{
	struct tuning t = { .interface = interface };
	const struct tuning_change change = gro_off();
	struct fault f = { "" };

	(void)state;
	assert_int_equal(tuning_make(&t, "a0", &change, NULL), 0);
	/* Reading /proc/self/mem at 0 fails with EIO. */
	assert_int_equal(mount("/proc/self/mem", path, NULL, MS_BIND, NULL), 0);
	assert_int_equal(tuning_record_undo(interface, &f), -EIO);
	assert_int_equal(umount(path), 0);
	assert_non_null(strstr(f.text, path));
	assert_non_null(strstr(f.text, "remove the file and undo its settings by hand"));
	assert_false(gro_is_on());
	assert_int_equal(tuning_record_undo(interface, &f), 0);
	assert_true(gro_is_on());
	assert_int_not_equal(access(path, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_undo),
		cmocka_unit_test(test_record_undo),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_forwarding),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_unusable_record),
		cmocka_unit_test(test_unreadable_record),
	};

	if (geteuid() != 0 || system("command -v ethtool >/dev/null")) {
		printf("1..0 # SKIP needs root and ethtool; see docs/dependencies.md\n");
		return 0;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, NULL);
}
