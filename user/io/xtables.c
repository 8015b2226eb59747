/* SPDX-License-Identifier: MIT */
#include "io/xtables.h"

#include <netinet/in.h> /* must come before linux/netfilter.h */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#define TABLE "mangle"

/* Returns true if a program has used the table in this namespace. The file at @path lists one table
 * in each line. A request for a table that is not listed would make the kernel load a module. */
static bool is_used(const char *path)
{
	FILE *names = fopen(path, "re");
	char line[XT_TABLE_MAXNAMELEN + 1];
	bool found = false;

	if (!names)
		return false;
	while (!found && fgets(line, sizeof(line), names))
		found = !strcmp(line, TABLE "\n");
	fclose(names);
	return found;
}

/* Returns true if the chain OUTPUT of the table has rules. A chain without rules begins with its
 * policy, whose offset in the table is underflow[]. */
static bool has_rules(int family, int level, int option)
{
	struct ipt_getinfo info = { .name = TABLE };
	socklen_t len = sizeof(info);
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool some;

	if (fd < 0)
		return false;
	some = getsockopt(fd, level, option, &info, &len) == 0 &&
	       info.hook_entry[NF_INET_LOCAL_OUT] != info.underflow[NF_INET_LOCAL_OUT];
	close(fd);
	return some;
}

_Static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo),
	       "both families give the same structure");

bool xtables_marks_output(void)
{
	return (is_used("/proc/thread-self/net/ip_tables_names") &&
		has_rules(AF_INET, SOL_IP, IPT_SO_GET_INFO)) ||
	       (is_used("/proc/thread-self/net/ip6_tables_names") &&
		has_rules(AF_INET6, SOL_IPV6, IP6T_SO_GET_INFO));
}
