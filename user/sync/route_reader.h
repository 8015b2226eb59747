/* SPDX-License-Identifier: MIT */
/*
 * route_reader.h - reads the routes that lead into the tunnel whenever they may have changed, and
 * gives their MTUs to the workers. Reading many routes takes long. So a separate thread reads them,
 * and uses at most a tenth of one CPU. The functions below are for the control thread.
 */
#ifndef WGXDP_ROUTE_READER_H
#define WGXDP_ROUTE_READER_H

#include "io/tun.h"
#include "util/job.h"
#include "util/loop.h"

struct route_mtu;
struct workers;

struct route_reader {
	const struct tun *tun;
	struct workers *workers;
	struct loop_timer timer;
	uint64_t next_ns; /* routes are not read again before this time */
	bool changed;	  /* routes may have changed since the last job began */
	bool home_next;	  /* as of the last change, the interface is in our namespace */
	/* The job reads the routes in a thread. While the job runs, only that thread uses the
	 * members below. */
	struct job job;
	bool home;    /* home_next when the job began */
	int netns_fd; /* if not @home: the namespace of the interface; otherwise -1 */
	uint32_t ifindex;
	struct route_mtu *table; /* result: the MTUs of the routes; NULL = none read */
	int err;		 /* result: 0 or -errno */
	uint64_t cost_ns;	 /* result: CPU time used */
};

/* @tun and @workers are borrowed. Returns 0 or -errno. */
int route_reader_init(struct route_reader *r, struct loop *loop, const struct tun *tun,
		      struct workers *workers);
void route_reader_done(struct route_reader *r); /* does nothing if *r is all zero */

/* Schedules a reading, because routes or the interface may have changed. @home: the interface is in
 * our namespace. */
void route_reader_changed(struct route_reader *r, bool home);

#endif
