/* SPDX-License-Identifier: MIT */
#include "daemon/detach_child.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/ending.h"
#include "util/log.h"
#include "util/spawn.h"
#include "wgxdp/limits.h"

/* Runs /proc/self/exe, because an upgrade may have replaced the program on disk. The command does
 * not ignore the signals that the daemon ignores, because they must be able to end the command. */
static int spawn(pid_t *pid, const char *interface)
{
	char name[IFNAME_MAX + 1], program[] = "wgxdp", verb[] = "detach", end[] = "--";
	char *argv[] = { program, verb, end, name, NULL };
	const struct spawn detach = { .argv = argv, .program = "/proc/self/exe" };

	snprintf(name, sizeof(name), "%s", interface);
	return spawn_start(pid, &detach);
}

static void on_end(void *ctx, int fd, uint32_t events)
{
	struct detach_child *c = ctx;

	(void)events;
	log_error("`wgxdp detach` has failed, so the daemon ends without it; perhaps the "
		  "configuration was not saved, and some hooks did not run");
	loop_delete(c->loop, fd);
	c->ended(c->ctx);
}

int detach_child_start(struct detach_child *c, struct loop *loop, const char *interface,
		       void (*ended)(void *ctx), void *ctx)
{
	pid_t pid = -1;
	int pidfd, err = c->loop ? -EALREADY : spawn(&pid, interface);

	if (err)
		return err;
	pidfd = pidfd_open(pid, 0);
	*c = (struct detach_child){ loop, pid, pidfd, ended, ctx };
	/* Without a pidfd the daemon would not notice a failure of the command. Only the command or
	 * a second signal could then end the daemon. */
	if (pidfd >= 0)
		loop_add(loop, pidfd, EPOLLIN, on_end, c);
	return 0;
}

void detach_child_wait(struct detach_child *c)
{
	if (!c->loop)
		return;
	ending_allow_signals();
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (c->pidfd >= 0)
		close(c->pidfd);
	c->loop = NULL;
}
