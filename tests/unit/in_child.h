/* SPDX-License-Identifier: MIT */
/* in_child.h - runs a part of a test in a process of its own, which may change its limits. */
#ifndef TESTS_IN_CHILD_H
#define TESTS_IN_CHILD_H

#include <sys/wait.h>
#include <unistd.h>

/* Runs @fn in a child process, and returns its result, 0 to 255. Include cmocka.h first. */
static inline int in_child(int (*fn)(void))
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

#endif
