/* SPDX-License-Identifier: MIT */
/*
 * reload.h - follows the config file of a running interface. What has changed in the file since it
 * was applied last is changed in the device, and nothing else: what wg(8) set meanwhile stays, and
 * the sessions, packets and map entries of other peers are not touched.
 *
 *   `wgxdp reload`, SIGHUP, file_watch.h
 *      ─▶ a thread reads and compares the file ─▶ port, mark, key ─▶ peers, in slices of 2 ms
 *      ─▶ the host (addresses, routes, DNS) ─▶ the new file is the last applied one
 *
 * A file with a fault changes nothing. A request that arrives during a reload begins another one
 * afterwards. The last applied file is kept with digests in the place of its secrets. Control
 * thread.
 */
#ifndef WGXDP_RELOAD_H
#define WGXDP_RELOAD_H

#include "daemon/file_watch.h"
#include "daemon/reload_job.h"
#include "sync/endpoint_names.h"
#include "wg/device.h"

/* How a reload was asked for. */
enum reload_wish {
	RELOAD_WATCHED = 1, /* the file has changed: never removes all peers */
	RELOAD_ASKED = 2,   /* by a person */
	RELOAD_EXACT = 4,   /* the device becomes what the file says, as by `wg syncconf` */
	RELOAD_ADOPT = 8,   /* we wrote the file ourselves: nothing is changed */
};

struct reload_ops {
	/* 0 or -errno; nothing has changed then. */
	int (*set_port)(void *ctx, uint16_t port);
	int (*set_fwmark)(void *ctx, const struct conf *conf);
	/* Addresses, MTU, routes, DNS and the record of the hooks. May fill in endpoints of @conf.
	 * 0, or -errno with @f. */
	int (*set_host)(void *ctx, struct conf *conf, struct fault *f);
	/* Reload number @run has ended; @error is NULL if it did all that the file asks for. */
	void (*ended)(void *ctx, unsigned run, const char *error);
};

struct reload_config {
	struct loop *loop;
	struct device *device;
	struct endpoint_names *names;
	const struct reload_ops *ops;
	void *ctx;
	const char *path; /* absolute */
	struct stat read; /* what stat(2) said of the file before it was read */
	bool watch;
};

struct reload {
	struct reload_config config;
	struct conf applied; /* secrets are digests */
	uint8_t digest_key[CONF_DIGEST_KEY_LEN];
	struct file_watch watch;
	struct reload_job job;
	unsigned wishes;	   /* of the reload that runs; 0: none runs */
	unsigned pending;	   /* of the next one */
	unsigned run;		   /* number of the one that runs, or ran last */
	size_t next;		   /* change */
	struct device_place place; /* of the search for peers to remove */
	bool host_failed;	   /* set_host() has failed, so the next reload calls it again */
	struct loop_timer slices;
	struct fault error;  /* the first of the reload that runs; "" = none */
	struct fault failed; /* the same of the last reload */
	uint64_t failed_unix_s;
	uint64_t applied_unix_s; /* when the file was applied last */
};

/* Takes over *@conf, which has been applied to the device. Returns 0 or -errno; *@conf is then
 * still the caller's. */
int reload_init(struct reload *r, const struct reload_config *config, struct conf *conf);
void reload_done(struct reload *r); /* fine if all zero */

/* Begins a reload, or notes it for the end of the one that runs. @wishes: enum reload_wish, one or
 * more. Returns the number of that reload, whose end is told later. */
unsigned reload_begin(struct reload *r, unsigned wishes);

#endif
