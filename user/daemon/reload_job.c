/* SPDX-License-Identifier: MIT */
#include "daemon/reload_job.h"

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

static void run(void *ctx)
{
	struct reload_job *j = ctx;

	if (j->kind == RELOAD_JOB_READ) {
		read_file(j);
	} else {
		conf_forget_secrets(&j->new, j->digest_key);
		conf_diff_done(&j->diff);
		conf_done(&j->former);
	}
}

void reload_job_start(struct reload_job *j, enum reload_job_kind kind)
{
	j->kind = kind;
	job_start(&j->job, run, j);
}
