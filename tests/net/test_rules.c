/* SPDX-License-Identifier: MIT */
/* rules.h in a network namespace: if the kernel mistakes a rule of another program for our first
 * rule (EEXIST), our second rule is still added. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "host/rules.h"
#include "io/netlink.h"

#define MARK 51820

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(second_rule_is_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
