/* SPDX-License-Identifier: MIT */
#include "host/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/netlink.h"
#include "wgxdp/control.h"

#define MARK_FIRST 51820 /* the first number that is tried, as by wg-quick(8) */
#define MARKS_TRIED 1000
#define PRIORITY_MAIN 32766 /* priority of the kernel's rule for table main */
#define PRIORITY_DEFAULT 32767
#define TABLE_LOCAL 255
#define TABLE_DEFAULT 253
#define POLL_MS 5

static struct netlink_rule plain(uint8_t family, uint32_t priority, uint32_t table)
{
	return (struct netlink_rule){
		.family = family,
		.priority = priority,
		.table = table,
		.suppress_prefixlength = -1,
	};
}

static bool is_listed(const struct netlink_rule *list, size_t count,
		      const struct netlink_rule *rule)
{
	for (size_t i = 0; i < count; i++)
		if (netlink_rule_same(&list[i], rule))
			return true;
	return false;
}

static bool has(const struct rules *r, const struct netlink_rule *rule)
{
	return is_listed(r->list, r->count, rule);
}

/* Appends @rule to @r unless @r has an equal rule. The kernel may list a rule twice (`ip rule
 * restore`), but wgxdp needs to set it only once. */
static void add(struct rules *r, const struct netlink_rule *rule, bool ours)
{
	if (r->count == RULES_MAX || has(r, rule))
		return;
	r->list[r->count] = *rule;
	r->ours[r->count++] = ours;
}

/* The mark ---------------------------------------------------------------------------------- */

/* Locks the directory /run/wgxdp itself. A lock file in this directory would have to be removed
 * later, and its name could clash with the file of an interface. */
int rules_lock(void)
{
	int fd = open(CONTROL_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (unsigned waited_ms = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB);
	     waited_ms += POLL_MS) {
		if (errno != EWOULDBLOCK || waited_ms >= RULES_LOCK_MS) {
			close(fd);
			return -1;
		}
		usleep(POLL_MS * 1000);
	}
	return fd;
}

void rules_unlock(int *lock_fd)
{
	if (*lock_fd >= 0)
		close(*lock_fd);
	*lock_fd = -1;
}

static int table_in_use(struct netlink *nl, uint8_t family, uint32_t table)
{
	struct netlink_table_route *routes = NULL;
	size_t count = 0;
	int err = netlink_table_routes(nl, family, table, &routes, &count);

	free(routes);
	return err ? err : count > 0;
}

static bool is_named(const struct netlink_rule *list, size_t count, uint32_t number)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].table == number || list[i].fwmark == number)
			return true;
	return false;
}

int rules_choose_mark(struct netlink *nl, uint32_t *mark)
{
	struct netlink_rule *list4 = NULL, *list6 = NULL;
	size_t count4 = 0, count6 = 0;
	int in_use = 1, err = netlink_rules(nl, AF_INET, &list4, &count4);
	uint32_t number = MARK_FIRST;

	if (!err)
		err = netlink_rules(nl, AF_INET6, &list6, &count6);
	if (err == -EAFNOSUPPORT || err == -EOPNOTSUPP) /* the kernel has no IPv6 */
		err = 0;
	for (; !err && number < MARK_FIRST + MARKS_TRIED; number++) {
		if (is_named(list4, count4, number) || is_named(list6, count6, number))
			continue;
		in_use = table_in_use(nl, AF_INET, number);
		if (!in_use)
			in_use = table_in_use(nl, AF_INET6, number);
		if (in_use == -EAFNOSUPPORT || in_use == -EOPNOTSUPP)
			in_use = 0;
		if (in_use <= 0)
			break;
	}
	free(list4);
	free(list6);
	if (err || in_use < 0)
		return err ? err : in_use;
	if (in_use)
		return -ENOSPC;
	*mark = number;
	return 0;
}

/* Which rules ------------------------------------------------------------------------------- */

/* Returns the priority of the second rule in @list, but at most PRIORITY_MAIN. The first rule is
 * that of table local. The kernel gives a new rule the priority just before that of the second
 * rule. */
static uint32_t second_priority(const struct netlink_rule *list, size_t count)
{
	return count > 1 && list[1].priority < PRIORITY_MAIN ? list[1].priority : PRIORITY_MAIN;
}

static void add_kept(struct rules *r, uint8_t family, const struct rules *have)
{
	for (unsigned i = 0; i < have->count; i++)
		if (have->list[i].family == family)
			add(r, &have->list[i], have->ours[i]);
}

/* Adds our two rules, just before the rule that has the priority @second. */
static void add_new(struct rules *r, uint8_t family, uint32_t mark, uint32_t second)
{
	struct netlink_rule specific = plain(family, 0, PLAN_TABLE_MAIN),
			    rest = plain(family, 0, mark);

	/* If @second is 2 or less, both rules get priority 0. This is correct, because the kernel
	 * evaluates rules of equal priority in the order in which they were added. */
	rest.invert = true;
	rest.fwmark = mark;
	rest.priority = second > 2 ? second - 1 : 0;
	specific.priority = second > 2 ? second - 2 : 0;
	specific.suppress_prefixlength = 0;
	add(r, &specific, true);
	add(r, &rest, true);
}

static int make_family(struct rules *r, struct netlink *nl, uint8_t family, uint32_t mark,
		       const struct rules *have)
{
	const struct netlink_rule kernels[] = {
		plain(family, PRIORITY_MAIN, PLAN_TABLE_MAIN),
		plain(family, PRIORITY_DEFAULT, TABLE_DEFAULT),
	};
	struct netlink_rule *list;
	bool kept = false;
	size_t count;
	int err = netlink_rules(nl, family, &list, &count);

	if (err)
		return err;
	for (unsigned i = 0; i < have->count; i++)
		kept |= have->list[i].family == family && have->list[i].fwmark == mark;
	if (kept)
		add_kept(r, family, have);
	else
		add_new(r, family, mark, second_priority(list, count));
	for (size_t i = 0; i < count; i++)
		for (unsigned k = 0; k < 2; k++)
			if (netlink_rule_same(&list[i], &kernels[k]))
				add(r, &list[i], false);
	free(list);
	return 0;
}

int rules_make(struct rules *r, struct netlink *nl, const struct plan *plan,
	       const struct rules *have)
{
	int err = 0;

	*r = (struct rules){ .count = 0 };
	if (plan->default4)
		err = make_family(r, nl, AF_INET, plan->mark, have);
	if (plan->default6 && !err)
		err = make_family(r, nl, AF_INET6, plan->mark, have);
	return err;
}

void rules_union(struct rules *r, const struct rules *a, const struct rules *b)
{
	*r = *a;
	for (unsigned i = 0; i < b->count; i++)
		add(r, &b->list[i], b->ours[i]);
}

void rules_add_ours(struct rules *r, const struct rules *from)
{
	for (unsigned i = 0; i < from->count; i++)
		if (from->ours[i])
			add(r, &from->list[i], true);
}

/* Setting and deleting ---------------------------------------------------------------------- */

static int set_family(const struct rules *r, struct netlink *nl, uint8_t family, unsigned *added)
{
	struct netlink_rule *list;
	struct rules wanted = { .count = 0 };
	size_t count;
	int err;

	add_kept(&wanted, family, r);
	if (!wanted.count)
		return 0;
	err = netlink_rules(nl, family, &list, &count);
	if (err)
		return err;
	for (unsigned i = 0; i < wanted.count && !err; i++) {
		if (is_listed(list, count, &wanted.list[i]))
			continue;
		err = netlink_add_rule(nl, &wanted.list[i]);
		if (!err && added)
			++*added;
		if (err == -EEXIST) /* another program has added it since netlink_rules() */
			err = 0;
	}
	free(list);
	return err;
}

int rules_set(const struct rules *r, struct netlink *nl, unsigned *added)
{
	int err = set_family(r, nl, AF_INET, added);

	return err ? err : set_family(r, nl, AF_INET6, added);
}

int rules_unset(const struct rules *r, struct netlink *nl, const struct rules *except)
{
	int first = 0;

	for (unsigned i = 0; i < r->count; i++) {
		int err = 0;

		if (r->ours[i] && !(except && has(except, &r->list[i])))
			err = netlink_delete_rule(nl, &r->list[i]);
		if (err != -ENOENT && !first)
			first = err;
	}
	return first;
}

int rules_foreign(const struct rules *r, struct netlink *nl, uint8_t family)
{
	struct netlink_rule *list;
	bool foreign = false;
	size_t count;
	int err = netlink_rules(nl, family, &list, &count);

	if (err)
		return err;
	for (size_t i = 0; i < count && !foreign; i++) {
		bool usual = list[i].table == TABLE_LOCAL || list[i].table == PLAN_TABLE_MAIN ||
			     list[i].table == TABLE_DEFAULT;

		foreign = !has(r, &list[i]) &&
			  (list[i].other || !usual || list[i].fwmark || list[i].invert ||
			   (list[i].table != TABLE_LOCAL && list[i].suppress_prefixlength < 0));
	}
	free(list);
	return foreign;
}
