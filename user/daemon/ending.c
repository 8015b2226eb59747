/* SPDX-License-Identifier: MIT */
#include "daemon/ending.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "daemon/lease.h"
#include "util/log.h"
#include "util/notify.h"

/* Returns the signals that the daemon handles. Without a config file, a daemon in the background
 * ignores SIGHUP, because it has no terminal. */
static sigset_t signals_of(const struct ending *e)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGQUIT);
	if (e->foreground || e->ops)
		sigaddset(&signals, SIGHUP);
	return signals;
}

void ending_init(struct ending *e, bool foreground, int lease_fd, const struct ending_ops *ops,
		 void *ctx)
{
	sigset_t signals;

	*e = (struct ending){ .lease_fd = lease_fd,
			      .signal_fd = -1,
			      .foreground = foreground,
			      .ops = ops,
			      .ctx = ctx };
	signals = signals_of(e);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* Set the action in any case, because a shell or nohup(1) may have made this process ignore
	 * SIGHUP. */
	signal(SIGHUP, foreground || ops ? SIG_DFL : SIG_IGN);
}

void ending_allow_signals(void)
{
	sigset_t none;

	signal(SIGHUP, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

void ending_stop(struct ending *e, int exit_code)
{
	if (!e->stopping)
		notify_stopping();
	e->stopping = true;
	e->exit_code = exit_code;
}

static void on_signal(void *ctx, int fd, uint32_t events)
{
	struct signalfd_siginfo info;
	struct ending *e = ctx;

	(void)events;
	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP && e->ops) {
		e->ops->hangup(e->ctx);
		return;
	}
	if (e->ops && e->committed && e->ops->signalled(e->ctx)) {
		log_info("%s, detaching", strsignal((int)info.ssi_signo));
		return;
	}
	log_info("%s, exiting", strsignal((int)info.ssi_signo));
	ending_stop(e, 0);
}

static void close_lease(struct ending *e)
{
	if (e->lease_fd >= 0)
		close(e->lease_fd);
	e->lease_fd = -1;
}

static void on_lease(void *ctx, int fd, uint32_t events)
{
	struct ending *e = ctx;
	int answer = lease_read(fd);

	(void)events;
	if (answer)
		loop_delete(e->loop, fd);
	if (answer > 0) {
		e->committed = true;
		if (e->ops)
			e->ops->committed(e->ctx);
		close_lease(e);
		notify_ready();
	}
	if (answer < 0)
		ending_stop(e, 1); /* the command waits until ending_done() closes the lease */
}

int ending_watch(struct ending *e, struct loop *loop)
{
	sigset_t signals = signals_of(e);
	int err;

	e->loop = loop;
	e->signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (e->signal_fd < 0)
		return -errno;
	err = loop_add(loop, e->signal_fd, EPOLLIN, on_signal, e);
	if (!err && e->lease_fd >= 0)
		err = loop_add(loop, e->lease_fd, EPOLLIN, on_lease, e);
	return err;
}

void ending_tell(struct ending *e, const char *word, uint32_t number)
{
	lease_tell(e->lease_fd, word, number);
}

void ending_tell_error(struct ending *e, const struct fault *f)
{
	lease_tell_error(e->lease_fd, f);
}

void ending_warn(const struct ending *e, const char *sentence)
{
	if (e->lease_fd >= 0)
		lease_tell_warning(e->lease_fd, sentence);
	else
		log_error("%s", sentence);
}

void ending_unwatch(struct ending *e)
{
	if (e->signal_fd >= 0)
		close(e->signal_fd);
	e->signal_fd = -1;
}

void ending_done(struct ending *e)
{
	close_lease(e);
}
