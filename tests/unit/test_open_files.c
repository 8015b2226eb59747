/* SPDX-License-Identifier: MIT */
/*
 * test_open_files.c - the limit of open files: fault.c names it, and open_files.c finds out whether
 * it is reached. Each test runs in a child process, because a hard limit that was lowered cannot be
 * raised again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/fault.h"
#include "util/open_files.h"

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                    \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

/* Runs @fn in a child and returns its result. */
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

static void set_limits(rlim_t soft, rlim_t hard)
{
	const struct rlimit limit = { soft, hard };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		_exit(255);
}

static int find_room(void)
{
	int next = dup(STDIN_FILENO);

	close(next);
	set_limits((rlim_t)next + 5, 300);
	CHECK(!open_files_room(5));
	CHECK(open_files_room(6) == -EMFILE);
	CHECK(dup(STDIN_FILENO) == next); /* nothing is left open */
	return 0;
}

static void test_limit(void **state)
{
	(void)state;
	assert_int_equal(in_child(find_room), 0);
}

/* --- messages -------------------------------------------------------------------------------- */

#define REMEDY                                                                                     \
	"; the limit of open files is 280; raise it by `ulimit -n`, or by LimitNOFILE= in the unit"

static int name_limit(void)
{
	struct fault f, outer;
	char name[sizeof(f.text) + 50];

	set_limits(280, 300);
	CHECK(fault(&f, -EMFILE, "%s: no", "eth0") == -EMFILE);
	CHECK(!strcmp(f.text, "eth0: no" REMEDY));
	CHECK(fault(&outer, -EMFILE, "wg0: %s", f.text) == -EMFILE);
	CHECK(!strcmp(outer.text, "wg0: eth0: no" REMEDY));
	CHECK(fault(&f, -ENFILE, "no") == -ENFILE);
	CHECK(!strcmp(f.text, "no; raise the limit of open files of the whole host by `sysctl "
			      "fs.file-max`"));
	CHECK(fault(&f, -ENOENT, "no") == -ENOENT && !strcmp(f.text, "no"));
	CHECK(fault(NULL, -EMFILE, "no") == -EMFILE);

	/* A sentence that is too long loses its end, and not the remedy. */
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	fault(&f, -EMFILE, "%s", name);
	CHECK(strlen(f.text) == sizeof(f.text) - 1);
	CHECK(!strcmp(f.text + strlen(f.text) - strlen(REMEDY), REMEDY));
	return 0;
}

static void test_messages(void **state)
{
	(void)state;
	assert_int_equal(in_child(name_limit), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
