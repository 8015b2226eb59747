/* SPDX-License-Identifier: MIT */
#include "daemon/reload_job.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>

#include "util/log.h"

static void log_warning(void *ctx, const char *sentence)
{
	(void)ctx;
	log_info("warning: %s", sentence);
}

static void read_file(struct reload_job *j)
{
	j->err = conf_read(&j->new, j->path, log_warning, NULL, &j->fault);
	if (j->err)
		return;
	j->err = j->exact ? conf_diff_exact(&j->diff, j->old, &j->new)
			  : conf_diff(&j->diff, j->old, &j->new, j->digest_key);
	if (!j->err)
		return;
	fault(&j->fault, j->err, "%s: out of memory", j->path);
	conf_done(&j->new);
}

static void *run(void *ctx)
{
	struct reload_job *j = ctx;

	if (j->kind == RELOAD_JOB_READ) {
		read_file(j);
	} else {
		conf_forget_secrets(&j->new, j->digest_key);
		conf_diff_done(&j->diff);
		conf_done(&j->former);
	}
	eventfd_write(j->done_fd, 1);
	return NULL;
}

void reload_job_start(struct reload_job *j, enum reload_job_kind kind)
{
	sigset_t all, before;

	j->kind = kind;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	j->has_thread = pthread_create(&j->thread, NULL, run, j) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!j->has_thread)
		run(j);
}

void reload_job_end(struct reload_job *j)
{
	eventfd_t count;

	if (j->kind == RELOAD_JOB_NONE)
		return;
	if (j->has_thread)
		pthread_join(j->thread, NULL);
	if (eventfd_read(j->done_fd, &count))
		log_debug("the thread of a reload has ended without a result");
	j->kind = RELOAD_JOB_NONE;
}
