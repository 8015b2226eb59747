/* SPDX-License-Identifier: MIT */
#include "util/job.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void *thread_main(void *ctx)
{
	const struct job *j = ctx;

	j->run(j->run_ctx);
	eventfd_write(j->done_fd, 1);
	return NULL;
}

static void join(struct job *j)
{
	if (j->has_thread)
		pthread_join(j->thread, NULL);
	j->run = NULL;
}

static void on_done(void *ctx, int fd, uint32_t events)
{
	struct job *j = ctx;
	eventfd_t count;

	(void)events;
	if (eventfd_read(fd, &count)) /* job_wait() has already ended the job */
		return;
	join(j);
	j->ended(j->ended_ctx);
}

int job_init(struct job *j, struct loop *loop, void (*ended)(void *ctx), void *ctx)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), err;

	if (fd < 0)
		return -errno;
	err = loop_add(loop, fd, EPOLLIN, on_done, j);
	if (err) {
		close(fd);
		return err;
	}
	*j = (struct job){ .loop = loop, .done_fd = fd, .ended = ended, .ended_ctx = ctx };
	return 0;
}

void job_done(struct job *j)
{
	if (!j->loop)
		return;
	if (j->run)
		join(j);
	loop_delete(j->loop, j->done_fd);
	close(j->done_fd);
	*j = (struct job){ .loop = NULL };
}

void job_start(struct job *j, void (*run)(void *ctx), void *ctx)
{
	sigset_t all, before;

	j->run = run;
	j->run_ctx = ctx;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	j->has_thread = pthread_create(&j->thread, NULL, thread_main, j) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!j->has_thread)
		thread_main(j);
}

void job_wait(struct job *j)
{
	eventfd_t count;

	if (!j->run)
		return;
	join(j);
	eventfd_read(j->done_fd, &count);
	j->ended(j->ended_ctx);
}
