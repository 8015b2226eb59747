/* SPDX-License-Identifier: MIT */
/*
 * reload_job.h - runs two parts of a reload in a separate thread (util/job.h), because these parts
 * take long with many peers and use no data of the control thread. READ reads, parses and compares
 * the file. RETIRE replaces the secrets of the new config by digests and frees the former config.
 */
#ifndef WGXDP_RELOAD_JOB_H
#define WGXDP_RELOAD_JOB_H

#include "conf/conf_diff.h"
#include "util/fault.h"
#include "util/job.h"

enum reload_job_kind { RELOAD_JOB_READ, RELOAD_JOB_RETIRE };

struct reload_job {
	struct job job;
	enum reload_job_kind kind; /* kind of the current or last job */
	/* Input of READ: */
	const char *path;
	bool exact;
	const struct conf *old; /* must not change while the job runs */
	const uint8_t *digest_key;
	/* Output of READ; if @err is 0, the caller owns @new and @diff. Input of RETIRE, which
	 * replaces the secrets in @new by digests and frees @diff. */
	struct conf new;
	struct conf_diff diff;
	int err;
	struct fault fault;
	struct conf former; /* input of RETIRE, which frees it */
};

void reload_job_start(struct reload_job *j, enum reload_job_kind kind);

#endif
