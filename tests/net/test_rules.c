/* SPDX-License-Identifier: MIT */
/* test_rules.c - tests rules.h and netlink_rule.h in a network namespace. If the kernel mistakes a
 * rule of another program for our first rule (EEXIST), our second rule is still added. A rule with
 * a selector that wgxdp does not know is not taken for a rule for all packets. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include <cmocka.h>
#include <linux/fib_rules.h>

#include "host/rules.h"
#include "io/netlink.h"
#include "io/netlink_request.h"

#define MARK 51820
#define PRIORITY 100
#define LINUX(major, minor) ((major)*1000U + (minor))

/* Attributes of Linux 6.12 to 6.15, which older headers lack. */
#define DSCP 25
#define FLOWLABEL 26
#define FLOWLABEL_MASK 27
#define SPORT_MASK 28

static bool has_rule(struct netlink *nl, const struct netlink_rule *rule)
{
	struct netlink_rule *list;
	bool found = false;
	size_t count;

	assert_int_equal(netlink_rules(nl, AF_INET, &list, &count), 0);
	for (size_t i = 0; i < count; i++)
		found |= netlink_rule_same(&list[i], rule);
	free(list);
	return found;
}

/* When the kernel looks for an equal rule, it ignores "not". So it mistakes the rule of another
 * program for our first rule, and answers EEXIST. The second rule is set nevertheless. */
static void second_rule_is_set(void **state)
{
	const struct plan plan = { .mark = MARK, .default4 = true };
	const struct rules none = { .count = 0 };
	struct netlink *nl;
	struct rules r;

	(void)state;
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	nl = netlink_open();
	assert_non_null(nl);
	assert_int_equal(rules_make(&r, nl, &plan, &none), 0);
	assert_true(r.count >= 2 && r.ours[0] && r.ours[1]);
	assert_int_equal(system("ip rule add not from all lookup main suppress_prefixlength 0 "
				"priority 32764"),
			 0);
	assert_int_equal(r.list[0].priority, 32764);
	assert_int_equal(rules_set(&r, nl, NULL), 0);
	assert_true(has_rule(nl, &r.list[1]));
	netlink_close(nl);
}

static unsigned linux_version(void)
{
	struct utsname name;
	unsigned major, minor;

	assert_int_equal(uname(&name), 0);
	assert_int_equal(sscanf(name.release, "%u.%u", &major, &minor), 2);
	return LINUX(major, minor);
}

struct attribute {
	uint16_t type, len;
	uint32_t value;
};

/* Adds a rule for table main with these attributes, lists the rules, and deletes the rule. Returns
 * the rule as netlink_rules() lists it. */
static struct netlink_rule listed(struct netlink *nl, uint8_t family, const struct attribute a[2])
{
	const uint16_t types[] = { RTM_NEWRULE, RTM_DELRULE };
	struct netlink_rule *list = NULL, rule = { .family = 0 };
	size_t count = 0;

	for (unsigned t = 0; t < 2; t++) {
		struct nlmsghdr *nlh =
			netlink_begin(nl, types[t], t ? 0 : NLM_F_CREATE | NLM_F_EXCL);
		struct fib_rule_hdr *header = mnl_nlmsg_put_extra_header(nlh, sizeof(*header));

		header->family = family;
		header->action = FR_ACT_TO_TBL;
		header->table = RT_TABLE_MAIN;
		mnl_attr_put_u32(nlh, FRA_PRIORITY, PRIORITY);
		for (unsigned i = 0; i < 2 && a[i].type; i++)
			mnl_attr_put(nlh, a[i].type, a[i].len, &a[i].value);
		assert_int_equal(netlink_talk(nl, nlh, NULL, NULL), 0);
		if (!t)
			assert_int_equal(netlink_rules(nl, family, &list, &count), 0);
	}
	for (size_t i = 0; i < count; i++)
		if (list[i].priority == PRIORITY)
			rule = list[i];
	free(list);
	assert_int_equal(rule.family, family);
	return rule;
}

static void selectors_are_seen(void **state)
{
	static const struct {
		struct attribute attributes[2];
		unsigned since; /* version of Linux; older kernels ignore the attribute */
		bool v6_only, other;
	} rows[] = {
		{ { { 0, 0, 0 } }, 0, false, false },
		{ { { FRA_FWMARK, 4, 7 } }, 0, false, false },
		{ { { FRA_FWMARK, 4, 7 }, { FRA_FWMASK, 4, UINT32_MAX } }, 0, false, false },
		{ { { FRA_SUPPRESS_PREFIXLEN, 4, 0 } }, 0, false, false },
		{ { { FRA_SUPPRESS_IFGROUP, 4, UINT32_MAX } }, 0, false, false },
		{ { { FRA_PROTOCOL, 1, RTPROT_STATIC } }, 0, false, false },
		{ { { FRA_FWMARK, 4, 7 }, { FRA_FWMASK, 4, 0xff } }, 0, false, true },
		/* This rule applies only to packets without a mark. */
		{ { { FRA_FWMASK, 4, UINT32_MAX } }, 0, false, true },
		{ { { FRA_SUPPRESS_IFGROUP, 4, 3 } }, 0, false, true },
		{ { { FRA_IIFNAME, 3, 0x006f6c } }, 0, false, true }, /* "lo" on little endian */
		{ { { FRA_IP_PROTO, 1, IPPROTO_UDP } }, 0, false, true },
		{ { { FRA_SPORT_RANGE, 4, 0x00350035 } }, 0, false, true },
		{ { { DSCP, 1, 10 } }, LINUX(6, 12), false, true },
		{ { { DSCP, 1, 0 } }, LINUX(6, 12), false, true },
		{ { { FLOWLABEL, 4, 0x01000000 }, { FLOWLABEL_MASK, 4, 0x01000000 } },
		  LINUX(6, 14),
		  true,
		  true },
		{ { { FRA_SPORT_RANGE, 4, 0x00350035 }, { SPORT_MASK, 2, 0xff } },
		  LINUX(6, 15),
		  false,
		  true },
	};
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	struct netlink *nl;

	(void)state;
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	nl = netlink_open();
	assert_non_null(nl);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (unsigned f = rows[i].v6_only; f < 2; f++) {
			struct netlink_rule rule;

			if (linux_version() < rows[i].since)
				continue;
			rule = listed(nl, families[f], rows[i].attributes);
			if (rule.other != rows[i].other)
				fail_msg("row %zu, family %u: other is %d", i, families[f],
					 rule.other);
		}
	netlink_close(nl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(second_rule_is_set),
		cmocka_unit_test(selectors_are_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
