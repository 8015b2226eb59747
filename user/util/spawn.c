/* SPDX-License-Identifier: MIT */
#include "util/spawn.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/open_files.h"

static void reset_signals(bool keep_ignored)
{
	const struct sigaction default_action = { .sa_handler = SIG_DFL };
	struct sigaction action;

	for (int number = 1; number < NSIG; number++)
		if (!sigaction(number, NULL, &action) &&
		    !(keep_ignored && action.sa_handler == SIG_IGN))
			sigaction(number, &default_action, NULL);
}

static void separate(const struct spawn *s)
{
	setpgid(0, 0);
	dup2(s->input, STDIN_FILENO);
	dup2(s->output, STDOUT_FILENO);
	dup2(s->output, STDERR_FILENO);
	close_range(STDERR_FILENO + 1, ~0U, 0);
}

/* The new process, which shares the memory of this process until it runs the program. So it calls
 * only functions that neither allocate memory nor take locks, and does not return. Signals are
 * unblocked last, because a signal handler of this process must not run in the new process. Sets
 * *@error if the program cannot be run. */
static _Noreturn void run_child(const struct spawn *s, volatile int *error)
{
	sigset_t none;

	open_files_restore();
	reset_signals(s->keep_ignored);
	if (s->separate)
		separate(s);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(s->program, s->argv);
	*error = errno;
	_exit(127);
}

int spawn_start(pid_t *pid, const struct spawn *s)
{
	volatile int error = 0;
	sigset_t all, before;
	pid_t child;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	/* run_child() follows the rules of vfork(2), which the analyzer cannot see. */
	child = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork) */
	if (child == 0)
		run_child(s, &error); /* NOLINT(clang-analyzer-unix.Vfork) */
	if (child < 0)
		error = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (child > 0 && error)
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	if (!error)
		*pid = child;
	return -error;
}
