/* SPDX-License-Identifier: MIT */
#include "cli/hooks.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "util/buffer.h"
#include "util/spawn.h"

#define TERMINATE_MS 5000

static const char *const names[CONF_HOOK_COUNT] = { "PreUp", "PostUp", "PreDown", "PostDown" };

/* Replaces "%i" by the name of the interface. Returns text from malloc(), or NULL. */
static char *expand(const char *hook, const char *interface)
{
	struct buffer out = { 0 };
	const char *at;

	for (; (at = strstr(hook, "%i")); hook = at + 2) {
		buffer_append(&out, hook, (size_t)(at - hook));
		buffer_append(&out, interface, strlen(interface));
	}
	buffer_append(&out, hook, strlen(hook) + 1);
	if (out.failed) {
		buffer_done(&out);
		return NULL;
	}
	return out.data;
}

/* Starts bash with the hook. Returns 0 or -errno. */
static int start(char *command, pid_t *pid)
{
	static char shell[] = "bash", on_error[] = "-e", set[] = "-o", pipefail[] = "pipefail";
	static char option[] = "-O", extglob[] = "extglob", dash_c[] = "-c";
	char *argv[] = { shell, on_error, set, pipefail, option, extglob, dash_c, command, NULL };
	const struct spawn bash = { .argv = argv, .program = shell, .keep_ignored = true };

	setenv("LC_ALL", "C", 1); /* wg-quick sets this, too */
	signal(SIGCHLD, SIG_DFL); /* waitpid() fails if our caller has made us ignore SIGCHLD */
	return spawn_start(pid, &bash);
}

/* Waits until the hook's process ends, or terminates the process when @lease is shut down. @lease
 * is the socket to the daemon, or -1. A signal to this command shuts down the socket. */
static void wait_or_end(pid_t pid, int lease)
{
	int pidfd = pidfd_open(pid, 0);
	struct pollfd fds[] = { { .fd = pidfd, .events = POLLIN }, { .fd = lease } };

	if (pidfd < 0)
		return; /* without a pidfd, waitpid() waits for the process */
	while (!fds[0].revents && !(fds[1].revents & (POLLHUP | POLLERR)))
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
	if (!fds[0].revents) {
		kill(pid, SIGTERM);
		if (poll(fds, 1, TERMINATE_MS) == 0)
			kill(pid, SIGKILL);
	}
	close(pidfd);
}

/* Writes how the hook ended, such as "exit status 1" or "killed by signal 15 (TERM)". */
static void describe(int status, char text[static 64])
{
	if (WIFSIGNALED(status))
		snprintf(text, 64, "killed by signal %d (%s)", WTERMSIG(status),
			 sigabbrev_np(WTERMSIG(status)));
	else
		snprintf(text, 64, "exit status %d", WEXITSTATUS(status));
}

static int run(const struct hooks *h, enum conf_hook kind, const char *hook, struct fault *f)
{
	char *command = expand(hook, h->interface), ending[64];
	pid_t pid;
	int status, err = command ? 0 : -ENOMEM;

	if (err)
		return fault(f, err, "%s: %s: out of memory", h->path, names[kind]);
	fprintf(stderr, "[#] %s\n", command);
	fflush(NULL);
	setenv("INTERFACE", h->interface, 1); /* hooks can use this variable, as with wg-quick */
	err = start(command, &pid);
	free(command);
	if (err)
		return fault(f, err, "%s: %s: bash cannot be started: %s%s", h->path, names[kind],
			     strerror(-err),
			     err == -ENOENT ? "; install bash, which runs the hooks" : "");
	wait_or_end(pid, h->lease);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return fault(f, -errno, "%s: %s: %s", h->path, names[kind],
				     strerror(errno));
	if (status == 0)
		return 0;
	describe(status, ending);
	return fault(f, -ECANCELED, "%s: %s = %.200s: %s", h->path, names[kind], hook, ending);
}

int hooks_run(const struct hooks *h, enum conf_hook kind, const struct conf_list *list,
	      struct fault *f)
{
	int err = 0;

	for (uint32_t i = 0; i < list->count && !err; i++)
		err = run(h, kind, list->items[i], f);
	return err;
}

unsigned hooks_run_all(const struct hooks *h, enum conf_hook kind, const struct conf_list *list)
{
	unsigned failures = 0;
	struct fault f;

	for (uint32_t i = 0; i < list->count; i++) {
		if (!run(h, kind, list->items[i], &f))
			continue;
		failures++;
		cli_warn(NULL, f.text);
	}
	return failures;
}
