/* SPDX-License-Identifier: MIT */
/* test_nic_checks.c - nic_checks_bypassed() in a network namespace tells what it could not read. A
 * kernel that lacks nf_tables has no chains, which is no failure. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <net/if.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dataplane/nic_facts.h"
#include "io/netlink_private.h"

static struct netlink *nl;
static struct nic_netfilter netfilter;
static uint32_t ifindex;

static int setup(void **state)
{
	(void)state;
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	nl = netlink_open();
	assert_non_null(nl);
	assert_int_equal(system("ip link add v0 type veth peer name v1"), 0);
	ifindex = if_nametoindex("v0");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	netlink_close(nl);
	nic_checks_close(&netfilter);
	return 0;
}

/* Returns a handle whose file descriptor is /dev/null, so that every request fails. */
static struct netlink *broken(void)
{
	struct netlink *b = netlink_open();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_non_null(b);
	assert_true(null >= 0);
	assert_true(dup3(null, mnl_socket_get_fd(b->socket), O_CLOEXEC) >= 0);
	close(null);
	return b;
}

static void assert_unread(struct netlink *route, struct nic_netfilter *chains, const char *unread)
{
	struct nic_bypassed b = nic_checks_bypassed(route, chains, ifindex, "v0");

	assert_string_equal(b.unread, unread);
	assert_string_equal(b.egress, "");
	assert_string_equal(b.ingress, "");
}

/* Makes every attempt to open a descriptor fail. Returns the old limit. */
static struct rlimit forbid_descriptors(void)
{
	struct rlimit old, none;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	return old;
}

static void failed_reads(void **state)
{
	struct netlink *b = broken();
	struct rlimit old;
	struct nic_bypassed found;

	(void)state;
	assert_unread(nl, &netfilter, "");
	assert_unread(nl, &(struct nic_netfilter){ .unsupported = true }, "");
	assert_unread(nl, &(struct nic_netfilter){ .socket = b },
		      "the nftables chains (Socket operation on non-socket)");
	assert_unread(b, &netfilter, "the qdiscs (Socket operation on non-socket)");
	/* nl is not a netfilter socket, so the kernel answers that it does not know the request for
	 * the chains, as a kernel without nf_tables does. */
	assert_unread(nl, &(struct nic_netfilter){ .socket = nl }, "");

	/* Without a qdisc for tc filters, no socket is opened to list filters. */
	old = forbid_descriptors();
	found = nic_checks_bypassed(nl, &netfilter, ifindex, "v0");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_string_equal(found.unread, "");
	assert_int_equal(system("tc qdisc add dev v0 clsact"), 0);
	old = forbid_descriptors();
	found = nic_checks_bypassed(nl, &netfilter, ifindex, "v0");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_string_equal(found.unread, "the tc egress filters (Too many open files)");
	netlink_close(b);
}

/* If the socket for nftables cannot be opened, the chains count as unread, and the kernel does not
 * count as one without nf_tables. The next read opens the socket. */
static void failed_open(void **state)
{
	static const char unread[] = "the nftables chains (Too many open files)";
	const struct options options = { .tx = OPTIONS_PATH_AUTO };
	struct nic_netfilter late = { .socket = NULL };
	struct nic_bypassed found;
	struct nic_facts facts;
	struct rlimit old;
	int err;

	(void)state;
	old = forbid_descriptors();
	found = nic_checks_bypassed(nl, &late, ifindex, "v0");
	err = nic_facts_read(&facts, nl, &options, "v0");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_string_equal(found.unread, unread);
	assert_false(late.unsupported);
	assert_int_equal(err, 0);
	assert_string_equal(facts.bypassed.unread, unread);
	assert_int_equal(facts.netfilter, NIC_UNKNOWN);

	assert_unread(nl, &late, "");
	assert_non_null(late.socket);
	nic_checks_close(&late);
}

static void partly_failed_reads(void **state)
{
	struct netlink *b = broken();
	struct nic_bypassed found;

	(void)state;
	assert_int_equal(system("tc qdisc add dev v0 clsact && tc filter add dev v0 egress "
				"protocol ip prio 7 u32 match u32 0 0 flowid 1:1"),
			 0);
	found = nic_checks_bypassed(nl, &(struct nic_netfilter){ .socket = b }, ifindex, "v0");
	assert_string_equal(found.egress, "the tc egress filters");
	assert_string_equal(found.ingress, "");
	assert_string_equal(found.unread, "the nftables chains (Socket operation on non-socket)");
	netlink_close(b);
}

/* The kernel lists the filters of a qdisc "ingress" for both sides, though they only see received
 * packets. */
static void ingress_qdisc(void **state)
{
	struct nic_bypassed found;
	struct rlimit old;

	(void)state;
	assert_int_equal(system("tc qdisc add dev v0 ingress && tc filter add dev v0 ingress "
				"protocol ip prio 7 u32 match u32 0 0 flowid 1:1"),
			 0);
	found = nic_checks_bypassed(nl, &netfilter, ifindex, "v0");
	assert_string_equal(found.egress, "");
	assert_string_equal(found.ingress, "the tc ingress filters");
	assert_string_equal(found.unread, "");
	assert_false(found.ingress_unread);

	/* Filters for received packets do not concern the path of sent data. */
	old = forbid_descriptors();
	found = nic_checks_bypassed(nl, &netfilter, ifindex, "v0");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_string_equal(found.unread, "");
	assert_true(found.ingress_unread);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(failed_reads, setup, teardown),
		cmocka_unit_test_setup_teardown(failed_open, setup, teardown),
		cmocka_unit_test_setup_teardown(partly_failed_reads, setup, teardown),
		cmocka_unit_test_setup_teardown(ingress_qdisc, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
