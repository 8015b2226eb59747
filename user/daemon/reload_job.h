/* SPDX-License-Identifier: MIT */
/*
 * reload_job.h - the parts of a reload that take long with many peers and touch nothing of the
 * control thread, in a thread of their own: reading and parsing the file and comparing it, and
 * afterwards replacing its secrets by digests and freeing the former config.
 *
 * A job belongs to its thread from reload_job_start() until @done_fd is readable and
 * reload_job_end() has returned.
 */
#ifndef WGXDP_RELOAD_JOB_H
#define WGXDP_RELOAD_JOB_H

#include <pthread.h>

#include "conf/conf_diff.h"
#include "util/fault.h"

enum reload_job_kind { RELOAD_JOB_NONE, RELOAD_JOB_READ, RELOAD_JOB_RETIRE };

struct reload_job {
	enum reload_job_kind kind;
	pthread_t thread;
	bool has_thread;
	int done_fd; /* eventfd */
	/* READ: in */
	const char *path;
	bool exact;
	const struct conf *old; /* not changed meanwhile */
	const uint8_t *digest_key;
	/* READ: out; with err = 0 the caller owns both. RETIRE: in; its secrets become digests */
	struct conf new;
	struct conf_diff diff;
	int err;
	struct fault fault;
	struct conf former; /* RETIRE: in; freed */
};

/* Runs the job. Without a thread, because there are too many, it is done at once. */
void reload_job_start(struct reload_job *j, enum reload_job_kind kind);

/* Waits for the end of the job, if one runs. */
void reload_job_end(struct reload_job *j);

#endif
