/* SPDX-License-Identifier: MIT */
/* test_record.c - a setting that could not be undone, because the process had no file descriptor
 * left or the kernel refused the change, stays on record, and so the next daemon undoes it. And the
 * record of an older daemon is read. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/capability.h>

#include <cmocka.h>

#include "host/guard.h"
#include "host/host.h"
#include "host/record.h"
#include "host/valid_mark.h"
#include "io/netlink.h"
#include "io/netlink_rule.h"
#include "io/netns.h"
#include "own_run.h"
#include "util/loop.h"

#define INTERFACE "wgrecord"

static const struct netlink_rule rule = {
	.family = AF_INET,
	.priority = 32765,
	.table = 51820,
	.fwmark = 51820,
	.invert = true,
	.suppress_prefixlength = -1,
};

static struct rlimit limit;

static int setup(void **state)
{
	(void)state;
	own_run_setup();
	return getrlimit(RLIMIT_NOFILE, &limit);
}

/* With false, no file can be opened any more. */
static void allow_files(bool allowed)
{
	const struct rlimit none = { .rlim_cur = 0, .rlim_max = limit.rlim_max };

	assert_int_equal(setrlimit(RLIMIT_NOFILE, allowed ? &limit : &none), 0);
}

/* With false, the kernel refuses changes of the network. */
static void allow_changes(bool allowed)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	assert_int_equal(syscall(SYS_capget, &head, sets), 0);
	if (allowed)
		sets[0].effective |= 1U << CAP_NET_ADMIN;
	else
		sets[0].effective &= ~(1U << CAP_NET_ADMIN);
	assert_int_equal(syscall(SYS_capset, &head, sets), 0);
}

static void write_record(const struct record *r)
{
	struct fault f = { "" };

	assert_int_equal(record_write(INTERFACE, r, &f), 0);
}

static void undo(void)
{
	struct fault f = { "" };

	assert_int_equal(host_record_undo(INTERFACE, &f), 0);
	assert_false(host_record_exists(INTERFACE));
}

static void undo_without_files(void)
{
	struct fault f = { "" };

	allow_files(false);
	assert_int_equal(host_record_undo(INTERFACE, &f), -EMFILE);
	allow_files(true);
	assert_non_null(strstr(f.text, INTERFACE ".host"));
}

static void valid_mark_stays(void **state)
{
	struct record r = { .netns = netns_of_process("self"), .src_valid_mark = true };
	struct fault f = { "" };

	(void)state;
	assert_int_equal(valid_mark_set(), 0);
	allow_files(false);
	assert_int_equal(record_undo(INTERFACE, &r, &f), -EMFILE);
	allow_files(true);
	assert_true(valid_mark_is_set());
	assert_true(r.src_valid_mark);
	assert_int_equal(record_undo(INTERFACE, &r, &f), 0);
	assert_false(valid_mark_is_set());
	assert_true(record_is_empty(&r));
}

/* As long as a rule of the tunnel needs the sysctl, the sysctl stays set and on record. */
static void valid_mark_stays_with_rules(void **state)
{
	struct record r = { .netns = netns_of_process("self"),
			    .src_valid_mark = true,
			    .rules = { .list = { rule }, .ours = { true }, .count = 1 } };
	struct netlink *nl = netlink_open();
	struct fault f = { "" };

	(void)state;
	assert_non_null(nl);
	assert_int_equal(netlink_add_rule(nl, &rule), 0);
	netlink_close(nl);
	assert_int_equal(valid_mark_set(), 0);
	allow_changes(false);
	assert_int_equal(record_undo(INTERFACE, &r, &f), -EPERM);
	allow_changes(true);
	assert_int_equal(r.rules.count, 1);
	assert_true(r.src_valid_mark);
	assert_int_equal(record_undo(INTERFACE, &r, &f), 0);
	assert_false(valid_mark_is_set());
	assert_true(record_is_empty(&r));
}

/* The process continues even if libnftables could not open its socket. */
static void tables_stay(void **state)
{
	struct record r = { .netns = netns_of_process("self"), .nft4 = true, .nft6 = true };
	struct fault f = { "" };

	(void)state;
	allow_files(false);
	assert_int_equal(guard_delete(INTERFACE, true, false, &f), -EMFILE);
	assert_int_equal(record_undo(INTERFACE, &r, NULL), -EMFILE);
	allow_files(true);
	assert_non_null(strstr(f.text, "cannot open a netlink socket for nftables"));
	assert_true(r.nft4 && r.nft6);
	assert_int_equal(record_undo(INTERFACE, &r, &f), 0);
	assert_true(record_is_empty(&r));
}

static void install_resolvconf(const char *script)
{
	char folder[] = "/run/bin", *path = getenv("PATH"), both[4096];
	FILE *file;

	(void)mkdir(folder, 0700);
	file = fopen("/run/bin/resolvconf", "w");
	assert_non_null(file);
	fputs(script, file);
	fclose(file);
	assert_int_equal(chmod("/run/bin/resolvconf", 0700), 0);
	snprintf(both, sizeof(both), "%s:%s", folder, path ? path : "");
	assert_int_equal(setenv("PATH", both, 1), 0);
}

static void servers_stay(void **state)
{
	struct record r = { .dns = { .tool = DNS_RESOLVCONF, .name = "wgrecord" } };
	struct fault f = { "" };

	(void)state;
	install_resolvconf("#!/bin/sh\nexit 1\n");
	allow_files(false);
	assert_int_not_equal(record_undo(INTERFACE, &r, &f), 0);
	allow_files(true);
	assert_int_equal(r.dns.tool, DNS_RESOLVCONF); /* the program was not run */
	assert_int_equal(record_undo(INTERFACE, &r, &f), -EREMOTEIO);
	assert_int_equal(r.dns.tool, DNS_NOTHING); /* the program was run, and has failed */
}

/* A new daemon does not take over the settings while the servers of a second tool are set and the
 * tool cannot be started. Some limit of open files admits all of host_new() but the start of this
 * program, so this tries all limits. */
static void servers_of_two_tools(void **state)
{
	struct record r = { .netns = netns_of_process("self"),
			    .other_dns = { .tool = DNS_RESOLVCONF, .name = "wgrecord" } };
	struct rlimit low = { .rlim_max = limit.rlim_max };
	struct host_config config = { .interface = INTERFACE, .loop = loop_new() };
	struct fault f = { "" }, last;
	struct host *h = NULL;
	int err;

	(void)state;
	assert_non_null(config.loop);
	install_resolvconf("#!/bin/sh\n: >/run/resolvconf.ran\n");
	write_record(&r);
	do {
		low.rlim_cur++;
		last = f;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
		err = host_new(&h, &config, &f);
		allow_files(true);
		assert_true(host_record_exists(INTERFACE));
	} while (err && low.rlim_cur < 100);
	assert_int_equal(err, 0);
	assert_int_equal(access("/run/resolvconf.ran", F_OK), 0);
	assert_non_null(strstr(last.text, "some DNS servers of a daemon that was killed"));
	host_free(h);
	loop_free(config.loop);
	undo();
}

static void unreadable_record_stays(void **state)
{
	struct record r = { .netns = netns_of_process("self"), .src_valid_mark = true };
	struct fault f = { "" };

	(void)state;
	write_record(&r);
	undo_without_files();
	assert_true(host_record_exists(INTERFACE));
	allow_files(false);
	assert_int_equal(record_take_over(INTERFACE, &r, &f), -EMFILE);
	allow_files(true);
	assert_non_null(strstr(f.text, INTERFACE ".host"));
	assert_int_equal(record_take_over(INTERFACE, &r, &f), 1);
	undo();
	assert_int_equal(record_take_over(INTERFACE, &r, &f), 0);
}

/* A daemon that may still run after an upgrade writes no "other_dns". */
static void old_record_is_read(void **state)
{
	static const char old[] =
		"{\"netns\":7,\"src_valid_mark\":true,\"nft4\":true,\"nft6\":false,"
		"\"dns\":\"resolvconf\",\"dns_name\":\"wg0\",\"rules\":[]}";
	struct record r;

	(void)state;
	assert_int_equal(record_parse(&r, old, strlen(old)), 0);
	assert_int_equal(r.dns.tool, DNS_RESOLVCONF);
	assert_int_equal(r.other_dns.tool, DNS_NOTHING);
	assert_true(r.src_valid_mark && r.nft4 && !r.nft6);
}

/* Enters a new network namespace. Returns a process that stays in the old one, whose number it
 * stores in *@old. */
static pid_t leave_namespace(uint64_t *old)
{
	pid_t pid = fork();
	char text[16];

	assert_true(pid >= 0);
	if (!pid) {
		pause();
		_exit(0);
	}
	snprintf(text, sizeof(text), "%d", pid);
	*old = netns_of_process(text);
	assert_int_not_equal(*old, 0);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	return pid;
}

/* attach in another namespace fails while the old settings cannot be undone, because the new daemon
 * would replace their record. */
static void record_of_other_namespace_is_not_replaced(void **state)
{
	struct record r = { .rules = { .list = { rule }, .count = 1 } }, got;
	pid_t pid = leave_namespace(&r.netns);
	struct fault f = { "" };

	(void)state;
	write_record(&r);
	allow_changes(false);
	assert_int_equal(record_take_over(INTERFACE, &got, &f), -EPERM);
	allow_changes(true);
	assert_non_null(strstr(f.text, INTERFACE ".host: "));
	assert_non_null(strstr(f.text, "run `wgxdp detach " INTERFACE "` and attach again"));
	assert_true(host_record_exists(INTERFACE));
	assert_int_equal(record_take_over(INTERFACE, &got, &f), 0);
	assert_false(host_record_exists(INTERFACE));
	assert_int_not_equal(kill(pid, SIGKILL), -1);
	waitpid(pid, NULL, 0);
}

/* A namespace is taken for gone only if it is not found, and not if the search failed. */
static void record_of_other_namespace_stays(void **state)
{
	struct record r = { .src_valid_mark = true };
	pid_t pid = leave_namespace(&r.netns);

	(void)state;
	allow_files(false);
	assert_int_equal(netns_open(r.netns), -EMFILE);
	allow_files(true);
	assert_int_not_equal(kill(pid, SIGKILL), -1);
	waitpid(pid, NULL, 0);
	assert_int_equal(netns_open(r.netns), -ENOENT);
	write_record(&r);
	undo();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_mark_stays),
		cmocka_unit_test(valid_mark_stays_with_rules),
		cmocka_unit_test(tables_stay),
		cmocka_unit_test(servers_stay),
		cmocka_unit_test(servers_of_two_tools),
		cmocka_unit_test(unreadable_record_stays),
		cmocka_unit_test(old_record_is_read),
		cmocka_unit_test(record_of_other_namespace_is_not_replaced),
		cmocka_unit_test(record_of_other_namespace_stays),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
