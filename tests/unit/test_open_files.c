/* SPDX-License-Identifier: MIT */
/*
 * test_open_files.c - the limit of open files: open_files.c raises it, fault.c names it, and
 * spawn.c restores it for the programs that it starts. Each test runs in a child process, because a
 * hard limit that was lowered cannot be raised again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "in_child.h"
#include "util/open_files.h"
#include "util/spawn.h"

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                    \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

static void set_limits(rlim_t soft, rlim_t hard)
{
	const struct rlimit limit = { soft, hard };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		_exit(255);
}

static bool limits_are(rlim_t soft, rlim_t hard)
{
	struct rlimit limit;

	return !getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur == soft &&
	       limit.rlim_max == hard;
}

/* --- raise and restore ----------------------------------------------------------------------- */

static int raise_and_restore(void)
{
	struct fault f = { "" };

	set_limits(20, 300);
	open_files_restore();
	CHECK(limits_are(20, 300)); /* nothing was raised, so nothing is restored */
	CHECK(!open_files_raise(&f) && limits_are(300, 300));
	open_files_restore();
	CHECK(limits_are(20, 300));
	return 0;
}

static int restore_below_hard(void)
{
	set_limits(280, 300);
	CHECK(!open_files_raise(NULL));
	set_limits(270, 270); /* as by prlimit(1) */
	open_files_restore();
	CHECK(limits_are(270, 270));
	return 0;
}

static int refuse_low(void)
{
	struct fault f = { "" };

	set_limits(20, OPEN_FILES_MIN);
	CHECK(!open_files_raise(NULL));
	set_limits(20, OPEN_FILES_MIN - 1);
	CHECK(open_files_raise(&f) == -EMFILE && limits_are(20, OPEN_FILES_MIN - 1));
	CHECK(!strcmp(f.text, "the hard limit of open files (`ulimit -Hn`) is 255, but a daemon "
			      "needs at least 256; raise it as root by `ulimit -Hn 256`, or by "
			      "LimitNOFILE=256 in the unit"));
	return 0;
}

static int find_room(void)
{
	int next = STDERR_FILENO + 1;

	close_range((unsigned)next, ~0U, 0); /* the test program may have inherited descriptors */
	set_limits((rlim_t)next + 5, 300);
	CHECK(!open_files_room(5));
	CHECK(open_files_room(6) == -EMFILE);
	CHECK(dup(STDIN_FILENO) == next); /* nothing is left open */
	return 0;
}

static void test_limit(void **state)
{
	(void)state;
	assert_int_equal(in_child(raise_and_restore), 0);
	assert_int_equal(in_child(restore_below_hard), 0);
	assert_int_equal(in_child(refuse_low), 0);
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

/* --- programs -------------------------------------------------------------------------------- */

/* Runs a script of sh(1), and reads what it prints. Returns its exit status, or -1. */
static int run_script(char *script, bool keep_ignored, char *text, size_t size)
{
	static char shell[] = "sh", dash_c[] = "-c";
	char *argv[] = { shell, dash_c, script, NULL };
	struct spawn s = {
		.argv = argv,
		.program = shell,
		.keep_ignored = keep_ignored,
		.separate = true,
	};
	int out[2], status;
	pid_t pid;
	ssize_t n;

	if (pipe2(out, O_CLOEXEC))
		return -1;
	s.input = out[0];
	s.output = out[1];
	if (spawn_start(&pid, &s) || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	n = read(out[0], text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	close(out[0]);
	close(out[1]);
	return WEXITSTATUS(status);
}

static int run_with_old_limit(void)
{
	char script[] = "ulimit -Sn; ulimit -Hn; exit 3", text[64];

	set_limits(100, 300);
	CHECK(!open_files_raise(NULL));
	CHECK(run_script(script, false, text, sizeof(text)) == 3);
	CHECK(!strcmp(text, "100\n300\n"));
	CHECK(limits_are(300, 300));
	return 0;
}

/* The script prints the signals 1 to 28 that are blocked and ignored, in hexadecimal. It leaves out
 * signals 32 and 33, which glibc reserves: if the caller of this test ignores them, nobody can
 * change this by sigaction(3). */
static int run_with_own_signals(void)
{
	char script[] = "grep -E '^Sig(Blk|Ign)' /proc/self/status | grep -o '.......$'", text[128];
	sigset_t blocked, now;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	CHECK(!run_script(script, false, text, sizeof(text)));
	CHECK(!strcmp(text, "0000000\n0000000\n"));
	CHECK(!run_script(script, true, text, sizeof(text)));
	CHECK(!strcmp(text, "0000000\n0000001\n"));
	sigprocmask(SIG_SETMASK, NULL, &now);
	CHECK(sigismember(&now, SIGTERM) && !sigismember(&now, SIGHUP));
	CHECK(signal(SIGHUP, SIG_DFL) == SIG_IGN); /* our own action is unchanged */
	return 0;
}

static int run_missing(void)
{
	char name[] = "/nonexistent/program", *argv[] = { name, NULL };
	const struct spawn s = { .argv = argv, .program = name };
	pid_t pid = -7;

	CHECK(spawn_start(&pid, &s) == -ENOENT && pid == -7);
	CHECK(waitpid(-1, NULL, 0) < 0 && errno == ECHILD); /* no zombie is left */
	return 0;
}

static void test_programs(void **state)
{
	(void)state;
	assert_int_equal(in_child(run_with_old_limit), 0);
	assert_int_equal(in_child(run_with_own_signals), 0);
	assert_int_equal(in_child(run_missing), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
