/* SPDX-License-Identifier: MIT */
/*
 * test_secure.c - the effects of secure.h. Each test runs in a child process, because the effects
 * cannot be undone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "in_child.h"
#include "util/secure.h"

#define SKIPPED 77

static int no_dumps(void)
{
	struct rlimit core;

	secure_forbid_dumps();
	getrlimit(RLIMIT_CORE, &core);
	if (core.rlim_cur != 0 || core.rlim_max != 0)
		return 1;
	return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : 2;
}

static void test_no_dumps(void **state)
{
	(void)state;
	assert_int_equal(in_child(no_dumps), 0);
}

/* If RLIMIT_MEMLOCK is finite and cannot be raised, secure_memory() refuses to lock memory, and
 * mmap() still works. */
static int limited(void)
{
	struct rlimit small = { 65536, 65536 };
	void *p;

	if (setrlimit(RLIMIT_MEMLOCK, &small) != 0)
		return 1;
	if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0))
		return 2;
	if (secure_memory() != -EPERM)
		return 3;
	p = mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? 4 : 0;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err = -1;
	if (fd >= 0)
		close(fd);
	return err;
}

/* secure_memory() also refuses to lock memory in a user namespace, because CAP_IPC_LOCK there does
 * not lift the limit. */
static int limited_in_namespace(void)
{
	struct rlimit small = { 65536, 65536 };
	char map[32];
	void *p;

	snprintf(map, sizeof(map), "0 %u 1", geteuid());
	if (setrlimit(RLIMIT_MEMLOCK, &small) != 0 || unshare(CLONE_NEWUSER) != 0 ||
	    write_file("/proc/self/uid_map", map) != 0)
		return SKIPPED;
	if (!secure_capable(CAP_IPC_LOCK))
		return 1;
	if (secure_memory() != -EPERM)
		return 2;
	p = mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? 3 : 0;
}

static void test_user_namespace(void **state)
{
	int result = in_child(limited_in_namespace);

	(void)state;
	if (result == SKIPPED)
		skip();
	assert_int_equal(result, 0);
}

static void test_refused_rather_than_starved(void **state)
{
	(void)state;
	assert_int_equal(in_child(limited), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_dumps),
		cmocka_unit_test(test_refused_rather_than_starved),
		cmocka_unit_test(test_user_namespace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
