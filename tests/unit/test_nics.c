/* SPDX-License-Identifier: MIT */
/* test_nics.c - which path `auto` takes if the settings that AF_XDP bypasses cannot be read when a
 * NIC is opened, or later. The NIC and the answers of the kernel are fakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/nic_checks.h"
#include "io/netlink.h"

static struct nic_bypassed answer; /* what nic_checks_bypassed() returns */

static struct nic_bypassed fake_bypassed(struct netlink *nl, struct nic_netfilter *netfilter,
					 uint32_t ifindex, const char *name)
{
	(void)nl;
	(void)netfilter;
	(void)ifindex;
	(void)name;
	return answer;
}

static int fake_link(struct netlink *nl, const char *name, uint32_t ifindex,
		     struct netlink_link *link)
{
	(void)nl;
	(void)name;
	*link = (struct netlink_link){ .ifindex = ifindex, .name = "eth0", .mtu = 1500 };
	return 0;
}

static uint32_t fake_layer3(struct netlink *nl, uint32_t ifindex)
{
	(void)nl;
	return ifindex;
}

static void fake_queues(const char *name, uint32_t *rx, uint32_t *tx)
{
	(void)name;
	*rx = *tx = 1;
}

#define nic_checks_bypassed fake_bypassed
#define netlink_link(...) fake_link(__VA_ARGS__)
#define netlink_layer3 fake_layer3
#define netlink_queues fake_queues
#include "dataplane/nics.c" /* NOLINT(bugprone-suspicious-include) */

#define UNREAD "the nftables chains (Interrupted system call)"

struct world {
	struct options options;
	struct nics_env env;
	struct nic nic;
};

/* Makes an open NIC with one queue. nics_open() found @at_open on it. */
static void open_with(struct world *w, enum options_path tx, struct nic_bypassed at_open)
{
	*w = (struct world){ .options.tx = tx };
	w->env.options = &w->options;
	w->nic = (struct nic){ .name = "eth0",
			       .ifindex = 2,
			       .layer3 = 2,
			       .mtu = 1500,
			       .rx_queues = 1,
			       .sender_count = 1,
			       .queue_count = 1 };
	note_bypassed(&w->env, &w->nic, &at_open);
}

/* While the settings that AF_XDP would bypass cannot be read, `auto` sends by the UDP sockets, and
 * says why. When they can be read, nics_look() returns NICS_LOST, so that the NIC is reopened. */
static void unknown_at_open(void **state)
{
	const struct nic_bypassed unread = { .unread = UNREAD };
	struct world w;

	(void)state;
	open_with(&w, OPTIONS_PATH_AUTO, unread);
	assert_false(nics_sends(&w.env, &w.nic));
	assert_string_equal(w.nic.why,
			    "eth0: data is sent by the UDP socket until wgxdp can read " UNREAD
			    ", which AF_XDP would bypass; --tx xdp uses AF_XDP nevertheless");
	answer = unread;
	assert_int_equal(nics_look(&w.env, &w.nic), NICS_SAME);
	answer = (struct nic_bypassed){ .egress = "" };
	assert_int_equal(nics_look(&w.env, &w.nic), NICS_LOST);
}

/* If one setting was read, but the next one could not be read, the first setting decides the path.
 * The reason names that setting, also after all settings can be read. */
static void partly_known_at_open(void **state)
{
	static const char why[] = "eth0: data is sent by the UDP socket, because AF_XDP would "
				  "bypass the qdisc htb that is configured there; --tx xdp uses "
				  "AF_XDP nevertheless";
	struct world w;

	(void)state;
	open_with(&w, OPTIONS_PATH_AUTO,
		  (struct nic_bypassed){ .egress = "the qdisc htb", .unread = UNREAD });
	assert_false(nics_sends(&w.env, &w.nic));
	assert_string_equal(w.nic.why, why);
	answer = (struct nic_bypassed){ .egress = "the qdisc htb" };
	assert_int_equal(nics_look(&w.env, &w.nic), NICS_NOTED);
	assert_string_equal(w.nic.why, why);
	assert_int_equal(nics_look(&w.env, &w.nic), NICS_SAME);
}

/* If a later read fails, the last result stays. */
static void unknown_later(void **state)
{
	struct world w;

	(void)state;
	open_with(&w, OPTIONS_PATH_AUTO, (struct nic_bypassed){ .egress = "" });
	assert_true(nics_sends(&w.env, &w.nic));
	answer = (struct nic_bypassed){ .unread = UNREAD };
	assert_int_equal(nics_look(&w.env, &w.nic), NICS_SAME);
	assert_true(nics_sends(&w.env, &w.nic));
	assert_string_equal(w.nic.why, "");

	open_with(&w, OPTIONS_PATH_AUTO, (struct nic_bypassed){ .egress = "the qdisc htb" });
	assert_int_equal(nics_look(&w.env, &w.nic), NICS_SAME);
	assert_false(nics_sends(&w.env, &w.nic));
	assert_non_null(strstr(w.nic.why, "the qdisc htb"));
}

/* The user has chosen the path, so it does not depend on what can be read. */
static void path_is_forced(void **state)
{
	struct world w;

	(void)state;
	open_with(&w, OPTIONS_PATH_XDP, (struct nic_bypassed){ .unread = UNREAD });
	assert_true(nics_sends(&w.env, &w.nic));
	assert_string_equal(w.nic.why, "");
	open_with(&w, OPTIONS_PATH_UDP, (struct nic_bypassed){ .unread = UNREAD });
	assert_false(nics_sends(&w.env, &w.nic));
	assert_string_equal(w.nic.why, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_at_open),
		cmocka_unit_test(partly_known_at_open),
		cmocka_unit_test(unknown_later),
		cmocka_unit_test(path_is_forced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
