/* SPDX-License-Identifier: MIT */
#include "host/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/file.h"
#include "util/notify.h"
#include "util/spawn.h"

#define SYSTEM_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define QUOTE_LEN 256

static bool find_in(const char *folders, const char *name, char path[static PATH_MAX])
{
	while (folders && *folders) {
		size_t len = strcspn(folders, ":");

		if (len &&
		    snprintf(path, PATH_MAX, "%.*s/%s", (int)len, folders, name) < PATH_MAX &&
		    !access(path, X_OK))
			return true;
		folders += len + (folders[len] == ':');
	}
	return false;
}

bool run_find(const char *name, char path[static PATH_MAX])
{
	return find_in(getenv("PATH"), name, path) || find_in(SYSTEM_PATH, name, path);
}

/* A running program, and the beginning of its output. */
struct child {
	pid_t pid;
	int pid_fd, output; /* @output: read end of the pipe for stdout and stderr; -1 = not open */
	char quote[QUOTE_LEN];
	size_t len;
};

static int input_file(const char *input)
{
	size_t len = strlen(input);
	int fd = memfd_create("input", MFD_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = file_write(fd, input, len);
	if (!err && lseek(fd, 0, SEEK_SET))
		err = -errno;
	if (err)
		close(fd);
	return err ? err : fd;
}

static int spawn(struct child *c, char *const argv[], int input, int output)
{
	const struct spawn program = {
		.argv = argv,
		.program = argv[0],
		.separate = true,
		.input = input,
		.output = output,
	};
	int err = spawn_start(&c->pid, &program);

	if (err)
		return err;
	c->pid_fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	return c->pid_fd < 0 ? -errno : 0;
}

static int start(struct child *c, char *const argv[], const char *input)
{
	int in = input_file(input ?: ""), out[2], err;

	if (in < 0)
		return in;
	if (pipe2(out, O_CLOEXEC)) {
		err = -errno;
		close(in);
		return err;
	}
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	c->output = out[0];
	err = spawn(c, argv, in, out[1]);
	close(out[1]);
	close(in);
	return err;
}

/* Reads the output of the program and keeps only its beginning, as one line. */
static void read_output(struct child *c)
{
	char text[512];
	ssize_t n;

	/* Read once per poll(2), so that a program that prints for ever cannot evade the
	 * timeout. */
	n = read(c->output, text, sizeof(text));
	for (ssize_t i = 0; i < n && c->len < QUOTE_LEN - 1; i++)
		c->quote[c->len++] = (unsigned char)text[i] < ' ' ? ' ' : text[i];
}

static const char *quote(struct child *c)
{
	while (c->len && c->quote[c->len - 1] == ' ')
		c->len--;
	c->quote[c->len] = '\0';
	return c->quote;
}

static long now_ms(void)
{
	return (long)(clock_ns(CLOCK_MONOTONIC) / NS_PER_MS);
}

/* Returns true if the program has ended within @timeout_ms. Does not wait for the end of its
 * output, because a daemon that the program has started may keep the pipe open. */
static bool wait_end(struct child *c, unsigned timeout_ms)
{
	struct pollfd fds[2] = { { c->pid_fd, POLLIN, 0 }, { c->output, POLLIN, 0 } };
	long end_ms = now_ms() + timeout_ms, left_ms;

	while ((left_ms = end_ms - now_ms()) > 0) {
		if (poll(fds, 2, (int)left_ms) < 0 && errno != EINTR)
			break;
		if (fds[1].revents)
			read_output(c);
		if (fds[1].revents & POLLHUP)
			fds[1].fd = -1;
		if (fds[0].revents)
			return true;
	}
	return false;
}

static int wait_status(struct child *c, const char *name, unsigned timeout_ms, struct fault *f)
{
	bool ended = wait_end(c, timeout_ms);
	siginfo_t info = { 0 };

	if (!ended)
		kill(-c->pid, SIGKILL);
	while (waitid(P_PID, (id_t)c->pid, &info, WEXITED) && errno == EINTR)
		;
	if (!ended)
		return fault(f, -ETIMEDOUT, "%s did not end within %u s", name, timeout_ms / 1000);
	if (info.si_code == CLD_EXITED && !info.si_status)
		return 0;
	return fault(f, -EREMOTEIO, "%s failed with %s %d%s%s", name,
		     info.si_code == CLD_EXITED ? "status" : "signal", info.si_status,
		     *quote(c) ? ": " : "", c->quote);
}

int run_program(char *const argv[], const char *input, unsigned timeout_ms, struct fault *f)
{
	/* If wgxdp runs in the foreground, it ignores SIGCHLD, and the kernel would discard the
	 * program's exit status. So restore the default action until the program has ended. */
	struct sigaction default_action = { .sa_handler = SIG_DFL }, before;
	struct child c = { .pid = -1, .pid_fd = -1, .output = -1 };
	int err;

	/* Notify the watchdog for each program, because several programs in a row may take longer
	 * than its interval. */
	notify_watchdog();
	sigaction(SIGCHLD, &default_action, &before);
	err = start(&c, argv, input);
	if (err)
		fault(f, err, "cannot start %s: %s", argv[0], strerror(-err));
	if (err && c.pid > 0) {
		kill(-c.pid, SIGKILL);
		waitpid(c.pid, NULL, 0);
	}
	if (!err)
		err = wait_status(&c, argv[0], timeout_ms, f);
	if (c.output >= 0)
		close(c.output);
	if (c.pid_fd >= 0)
		close(c.pid_fd);
	sigaction(SIGCHLD, &before, NULL);
	return err;
}
