/* SPDX-License-Identifier: MIT */
/* test_nics.c - which path `auto` takes if the settings that AF_XDP bypasses cannot be read when a
 * NIC is opened, or later. The NIC and the answers of the kernel are fakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bpf/loader.h"
#include "dataplane/nic_checks.h"
#include "dataplane/nic_tune.h"
#include "dataplane/path_stats.h"
#include "io/afxdp.h"
#include "io/netlink.h"
#include "io/xdp_features.h"

static struct nic_bypassed answer; /* what nic_checks_bypassed() returns */
static unsigned reads;		   /* how often nic_checks_bypassed() was called */

static struct nic_bypassed fake_bypassed(struct netlink *nl, struct nic_netfilter *netfilter,
					 uint32_t ifindex, const char *name)
{
	(void)nl;
	(void)netfilter;
	(void)ifindex;
	(void)name;
	reads++;
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

static void no_deinit(struct transport *queue)
{
	(void)queue;
}

static const struct transport_ops fake_ops = { .deinit = no_deinit };
static struct transport fake_queue = { .ops = &fake_ops };

static int fake_afxdp(struct transport **queue, const struct afxdp_config *config, struct fault *f)
{
	(void)config;
	(void)f;
	*queue = &fake_queue;
	return 0;
}

static int fake_senders(uint32_t ifindex, uint32_t *count)
{
	(void)ifindex;
	(void)count;
	return -EOPNOTSUPP;
}

#define nic_checks_bypassed fake_bypassed
#define netlink_link(...) fake_link(__VA_ARGS__)
#define netlink_layer3 fake_layer3
#define netlink_queues fake_queues
#define afxdp_new fake_afxdp
#define xdp_features_senders fake_senders
#define nic_tune(tuner, ...) ((void)(tuner))
#define loader_attach_nic_tc(loader, ifindex, name, force, tcx, f) ((void)(loader), *(tcx) = false)
#define loader_attached(...) true
#define loader_detach(loader, ifindex) ((void)(loader))
#define path_stats_close_xsk(closed, queue) ((void)(closed))
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
	*w = (struct world){ .options = { .rx = OPTIONS_PATH_UDP, .tx = tx } };
	w->env.options = &w->options;
	w->nic = (struct nic){ .name = "eth0",
			       .ifindex = 2,
			       .layer3 = 2,
			       .mtu = 1500,
			       .rx_queues = 1,
			       .sender_count = 1,
			       .queue_count = 1,
			       .queues = { &fake_queue } };
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
	assert_int_equal(nics_look(&w.env, &w.nic), NICS_SAME); /* does not read yet */
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

/* If only the settings of received packets cannot be read, their last result stays, and the path of
 * sent data does not change. */
static void unknown_ingress(void **state)
{
	static const char filters[] = "the tc ingress filters";
	struct nic_bypassed known = { .egress = "" };
	struct world w;

	(void)state;
	memcpy(known.ingress, filters, sizeof(filters));
	open_with(&w, OPTIONS_PATH_AUTO, known);
	w.nic.attached = true;
	answer = (struct nic_bypassed){ .ingress_unread = true };
	assert_int_equal(nics_look(&w.env, &w.nic), NICS_SAME);
	assert_true(nics_sends(&w.env, &w.nic));
	assert_string_equal(w.nic.bypassed.ingress, filters);

	answer = (struct nic_bypassed){ .egress = "" };
	assert_int_equal(nics_look(&w.env, &w.nic), NICS_NOTED);
	assert_string_equal(w.nic.bypassed.ingress, "");

	open_with(&w, OPTIONS_PATH_AUTO, (struct nic_bypassed){ .ingress_unread = true });
	assert_true(nics_sends(&w.env, &w.nic));
	answer = known;
	assert_int_equal(nics_look(&w.env, &w.nic), NICS_NOTED);
	assert_string_equal(w.nic.bypassed.ingress, filters);
}

/* Another program keeps changing nftables, so that only the read of nics_look() succeeds. The NIC
 * is then opened with what that read has found, and the reason in between is true. */
static void only_the_look_can_read(void **state)
{
	const struct nic_bypassed unread = { .unread = UNREAD };
	struct fault f;
	struct world w;

	(void)state;
	open_with(&w, OPTIONS_PATH_AUTO, unread);
	answer = (struct nic_bypassed){ .egress = "" };
	assert_int_equal(nics_look(&w.env, &w.nic), NICS_LOST);
	answer = unread;
	nics_leave(&w.env, &w.nic);
	assert_non_null(strstr(w.nic.why, "it is opened again"));
	assert_int_equal(nics_look(&w.env, &w.nic), NICS_READY);
	assert_int_equal(nics_open(&w.env, &w.nic, &f), 0);
	assert_true(nics_sends(&w.env, &w.nic));
	assert_string_equal(w.nic.why, "");
	assert_int_equal(nics_look(&w.env, &w.nic), NICS_SAME);

	/* The result is used only once. A later opening must not rely on it. */
	nics_close(&w.env, &w.nic);
	assert_int_equal(nics_open(&w.env, &w.nic, &f), 0);
	assert_false(nics_sends(&w.env, &w.nic));
}

/* When the NIC is opened, a setting may be there that nics_look() has not seen. */
static void changed_before_opening(void **state)
{
	struct fault f;
	struct world w;

	(void)state;
	open_with(&w, OPTIONS_PATH_AUTO, (struct nic_bypassed){ .egress = "the qdisc htb" });
	answer = (struct nic_bypassed){ .egress = "" };
	assert_int_equal(nics_look(&w.env, &w.nic), NICS_LOST);
	nics_leave(&w.env, &w.nic);
	answer = (struct nic_bypassed){ .egress = "the qdisc tbf", .unread = UNREAD };
	assert_int_equal(nics_open(&w.env, &w.nic, &f), 0);
	assert_false(nics_sends(&w.env, &w.nic));
	assert_non_null(strstr(w.nic.why, "the qdisc tbf"));
}

/* While the settings cannot be read, the reads become rarer: after 1, 2, 4 ... 60 looks. As soon as
 * they can be read, every look reads. */
static void reads_become_rarer(void **state)
{
	static const unsigned at[] = { 1, 3, 7, 15, 31, 63, 123, 183 };
	const unsigned count = sizeof(at) / sizeof(at[0]);
	struct world w;
	unsigned look = 0;

	(void)state;
	open_with(&w, OPTIONS_PATH_XDP, (struct nic_bypassed){ .unread = UNREAD });
	answer = w.nic.bypassed;
	reads = 0;
	for (unsigned i = 0; i < count; i++) {
		for (; look < at[i]; look++) {
			assert_int_equal(reads, i);
			assert_int_equal(nics_look(&w.env, &w.nic), NICS_SAME);
		}
		assert_int_equal(reads, i + 1);
	}
	answer = (struct nic_bypassed){ .egress = "" };
	for (; reads == count; look++)
		(void)nics_look(&w.env, &w.nic);
	assert_int_equal(look, 243);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(nics_look(&w.env, &w.nic), NICS_SAME);
	assert_int_equal(reads, count + 4);
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
		cmocka_unit_test(unknown_at_open),	  cmocka_unit_test(partly_known_at_open),
		cmocka_unit_test(unknown_later),	  cmocka_unit_test(unknown_ingress),
		cmocka_unit_test(only_the_look_can_read), cmocka_unit_test(changed_before_opening),
		cmocka_unit_test(reads_become_rarer),	  cmocka_unit_test(path_is_forced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
