/* SPDX-License-Identifier: MIT */
/*
 * job.h - runs long work in a separate thread, so that the control thread serves other events
 * meanwhile.
 *
 *   job_start() ─▶ run(), in a thread ─▶ eventfd ─▶ loop ─▶ ended(), in the control thread
 *
 * The data that run() uses belongs to the thread from job_start() until ended() is called. The
 * functions below are for the control thread.
 */
#ifndef WGXDP_JOB_H
#define WGXDP_JOB_H

#include <pthread.h>

#include "util/loop.h"

struct job {
	struct loop *loop; /* NULL = not initialised */
	int done_fd;	   /* eventfd that is readable when the thread has ended */
	void (*ended)(void *ctx);
	void *ended_ctx;
	void (*run)(void *ctx); /* NULL = no job runs */
	void *run_ctx;
	pthread_t thread;
	bool has_thread;
};

/* The loop calls @ended when a job has ended; @ended may start the next job. Returns 0 or
 * -errno. */
int job_init(struct job *j, struct loop *loop, void (*ended)(void *ctx), void *ctx);
/* Waits until a running job has ended, without calling ended(). Does nothing if *j is all zero. */
void job_done(struct job *j);

/* Starts a job. The previous job of @j must have ended. All signals are blocked in the thread of
 * the job. If no thread can be created, calls @run before returning. */
void job_start(struct job *j, void (*run)(void *ctx), void *ctx);

/* Waits for the end of the running job, and calls ended() before returning. Does nothing if no job
 * runs. */
void job_wait(struct job *j);

#endif
