/* SPDX-License-Identifier: MIT */
/*
 * test_secure.c - the effects of secure_memory(). Each test runs in a child, because they last.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/secure.h"

/* Runs @fn in a child and returns its exit status. */
static int in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int no_dumps(void)
{
	struct rlimit core;

	secure_memory();
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

/* Under a finite limit without the right to raise it, locking is refused and malloc() works. */
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
