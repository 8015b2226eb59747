/* SPDX-License-Identifier: MIT */
/* test_ethtool.c - ethtool.h, xdp_features.h and tuning.h on a veth pair, with ethtool(8). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/tuning.h"
#include "io/ethtool.h"
#include "io/netlink.h"
#include "io/xdp_features.h"
#include "own_run.h"

static void __attribute__((format(printf, 1, 2))) sh(const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (system(line))
		fail_msg("%s", line);
}

static uint32_t index_of(const char *name)
{
	struct netlink *nl = netlink_open();
	struct netlink_link link;

	assert_non_null(nl);
	assert_int_equal(netlink_link(nl, name, 0, &link), 0);
	netlink_close(nl);
	return link.ifindex;
}

static int setup(void **state)
{
	(void)state;
	own_run_setup();
	sh("ip link add a0 type veth peer name b0");
	return 0;
}

static void test_driver(void **state)
{
	char driver[ETHTOOL_DRIVER_LEN] = "";
	struct ethtool_rings rings;

	(void)state;
	assert_int_equal(ethtool_driver("a0", driver), 0);
	assert_string_equal(driver, "veth");
	assert_int_equal(ethtool_driver("nope0", driver), -ENODEV);
	assert_int_equal(ethtool_driver("", driver), -ENODEV);
	assert_int_equal(ethtool_driver("a-name-of-sixteen", driver), -ENODEV);
	assert_int_equal(ethtool_rings("lo", &rings), -EOPNOTSUPP);
}

static void test_channels(void **state)
{
	struct ethtool_counts now, max, wanted;

	(void)state;
	assert_int_equal(ethtool_channels("lo", &now, &max), -EOPNOTSUPP);
	sh("ip link add q0 numrxqueues 4 numtxqueues 4 type veth peer name q1");
	assert_int_equal(ethtool_channels("q0", &now, &max), 0);
	assert_int_equal(max.rx, 4);
	assert_int_equal(max.tx, 4);
	assert_int_equal(max.combined, 0);
	wanted = (struct ethtool_counts){ 3, 2, 0 };
	assert_int_equal(ethtool_set_channels("q0", &wanted), 0);
	assert_int_equal(ethtool_channels("q0", &now, &max), 0);
	assert_memory_equal(&now, &wanted, sizeof(now));
	wanted.rx = 5;
	assert_int_equal(ethtool_set_channels("q0", &wanted), -EINVAL);
	sh("ip link delete q0");
}

static void test_offloads(void **state)
{
	struct ethtool_offload_state all[ETHTOOL_OFFLOADS];

	(void)state;
	assert_int_equal(ethtool_offloads("nope0", all), -ENODEV);
	assert_int_equal(ethtool_offloads("a0", all), 0);
	for (int i = 0; i < ETHTOOL_OFFLOADS; i++) {
		const char *name = ethtool_offload_name((enum ethtool_offload)i);

		if (all[i].known)
			sh("ethtool -k a0 | sed 's/^generic-receive-offload/rx-gro/;"
			   "s/^large-receive-offload/rx-lro/;s/^rx-checksumming/rx-checksum/' | "
			   "grep -qE '^\\s*%s: %s%s'",
			   name, all[i].on ? "on" : "off", all[i].fixed ? " .fixed" : "$");
	}
	assert_true(all[ETHTOOL_GRO].known && !all[ETHTOOL_GRO].fixed);
	assert_int_equal(ethtool_set_offload("a0", ETHTOOL_GRO, !all[ETHTOOL_GRO].on), 0);
	sh("ethtool -k a0 | grep -q '^generic-receive-offload: %s'",
	   all[ETHTOOL_GRO].on ? "off" : "on");
	assert_int_equal(ethtool_set_offload("a0", ETHTOOL_GRO, all[ETHTOOL_GRO].on), 0);
	assert_int_equal(ethtool_set_offload("a0", ETHTOOL_LRO, true), -EOPNOTSUPP);
}

/* When an XDP program is attached, some drivers, such as vmxnet3, switch an offload off, and leave
 * it off after the program is detached. tuning_unwatch() records the offloads that went off since
 * tuning_watch(). tuning_undo() switches these offloads on again. */
static void test_watch(void **state)
{
	struct ethtool_offload_state all[ETHTOOL_OFFLOADS];
	struct tuning t = { .interface = "wgxdp-watch" };
	uint32_t ifindex = index_of("a0");

	(void)state;
	assert_int_equal(ethtool_set_offload("a0", ETHTOOL_GRO, true), 0);
	tuning_watch(&t, "a0", ifindex);
	assert_true(t.count >= 2);
	tuning_watch(&t, "a0", ifindex);
	sh("test $(jq '.changes | length' /run/wgxdp/wgxdp-watch.nics) = %u", t.count);
	assert_int_equal(ethtool_set_offload("a0", ETHTOOL_TX_CHECKSUM, false), 0);
	tuning_unwatch(&t, "a0", ifindex);
	sh("jq -r '.changes[].offload' /run/wgxdp/wgxdp-watch.nics | tail -n 1 | grep -qx %s",
	   ethtool_offload_name(ETHTOOL_TX_CHECKSUM));
	sh("! grep -q %s /run/wgxdp/wgxdp-watch.nics", ethtool_offload_name(ETHTOOL_GRO));
	assert_int_equal(ethtool_set_offload("a0", ETHTOOL_GRO, false), 0);
	tuning_undo(&t);
	assert_int_equal(ethtool_offloads("a0", all), 0);
	assert_true(all[ETHTOOL_TX_CHECKSUM].on);
	assert_true(all[ETHTOOL_UDP_SEGMENTATION].on); /* was off while checksums were off */
	assert_false(all[ETHTOOL_GRO].on);	       /* the user's own change */
	sh("test ! -e /run/wgxdp/wgxdp-watch.nics");
}

static void test_features(void **state)
{
	struct xdp_features f;
	int err = xdp_features_read(index_of("a0"), &f);

	(void)state;
	if (err == -EOPNOTSUPP) /* before Linux 6.3 */
		skip();
	assert_int_equal(err, 0);
	assert_true(f.native && !f.zero_copy);
	assert_int_equal(xdp_features_read(index_of("lo"), &f), 0);
	assert_false(f.native || f.zero_copy);
	assert_int_equal(xdp_features_read(999999, &f), -ENODEV);
}

static void test_senders(void **state)
{
	uint32_t count = 99, ifindex;
	int err;

	(void)state;
	sh("ip link add q0 numrxqueues 4 numtxqueues 4 type veth peer name q1");
	ifindex = index_of("q0");
	err = xdp_features_senders(ifindex, &count);
	if (err == -EOPNOTSUPP) /* before Linux 6.8 */
		skip();
	assert_int_equal(err, -ENETDOWN);
	assert_int_equal(count, 99);
	sh("ip link set q0 up");
	for (uint32_t queues = 1; queues <= 3; queues++) {
		sh("ethtool -L q0 rx 4 tx %u", queues);
		assert_int_equal(xdp_features_senders(ifindex, &count), 0);
		assert_int_equal(count, queues);
	}
	sh("ip link delete q0");
	assert_int_equal(xdp_features_senders(ifindex, &count), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_driver),	 cmocka_unit_test(test_channels),
		cmocka_unit_test(test_offloads), cmocka_unit_test(test_watch),
		cmocka_unit_test(test_features), cmocka_unit_test(test_senders),
	};

	if (geteuid() != 0 || system("command -v ethtool >/dev/null")) {
		printf("1..0 # SKIP needs root and ethtool; see docs/dependencies.md\n");
		return 0;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, NULL);
}
