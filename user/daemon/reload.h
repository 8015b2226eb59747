/* SPDX-License-Identifier: MIT */
/*
 * reload.h - follows the config file of a running interface. If a value has changed in the file
 * since the file was last applied, the reload applies this value to the device. Other values that
 * wg(8) has set in the meantime are kept, and the sessions, packets and map entries of peers whose
 * section has not changed are not touched.
 *
 *   `wgxdp reload`, SIGHUP, file_watch.h
 *      ─▶ a thread reads and compares the file ─▶ port, mark, key ─▶ peers, in slices of 2 ms
 *      ─▶ the host (addresses, routes, DNS), mostly in a thread ─▶ the new file becomes the last
 *      applied one
 *
 * If the file has an error, nothing is changed. A request that arrives during a reload causes
 * another reload afterwards. The last applied file is kept in memory, with its secrets replaced by
 * digests. Only the control thread calls these functions.
 */
#ifndef WGXDP_RELOAD_H
#define WGXDP_RELOAD_H

#include "daemon/file_watch.h"
#include "daemon/reload_job.h"
#include "sync/endpoint_names.h"
#include "wg/device.h"

/* How a reload was requested. */
enum reload_wish {
	RELOAD_WATCHED = 1, /* the file has changed, or the interface is back in our namespace; such
			     * a reload never removes all peers */
	RELOAD_ASKED = 2,   /* the user has requested the reload */
	RELOAD_EXACT = 4,   /* the device becomes exactly like the file, as with `wg syncconf` */
	RELOAD_ADOPT = 8,   /* `wgxdp save` has written the file: regard it as applied */
};

struct reload_ops {
	/* Set the port or the mark. Return 0, or -errno with nothing changed. */
	int (*set_port)(void *ctx, uint16_t port);
	int (*set_fwmark)(void *ctx, const struct conf *conf);
	/* Begins to set addresses, MTU, routes, DNS and the record of the hooks, and reports the
	 * result by reload_host_set(). This function may fill in endpoints in @conf. Nothing else
	 * changes @conf before reload_host_set(). */
	void (*set_host)(void *ctx, struct conf *conf);
	/* Reload number @run has ended. @error is NULL if the whole file was applied. Also called
	 * for a reload that reload_awaited() has announced and that will not begin, because the
	 * change of the file was taken back; @error is then that of the last reload. A later reload
	 * may have the same number. */
	void (*ended)(void *ctx, unsigned run, const char *error);
};

struct reload_config {
	struct loop *loop;
	struct device *device;
	struct endpoint_names *names;
	const struct reload_ops *ops;
	void *ctx;
	const char *path; /* absolute path of the config file */
	struct stat read; /* the result of stat(2) before the file was read */
	bool watch;
};

struct reload {
	struct reload_config config;
	/* The last applied config, with digests instead of secrets. While a thread replaces the
	 * secrets (RELOAD_JOB_RETIRE), only save_config is set. */
	struct conf applied;
	uint8_t digest_key[CONF_DIGEST_KEY_LEN];
	struct file_watch watch;
	struct reload_job job;
	unsigned wishes;	   /* enum reload_wish of the current reload; 0 = no reload runs */
	unsigned pending;	   /* enum reload_wish of the next reload; 0 = none is requested */
	unsigned run;		   /* number of the current or last reload */
	size_t next;		   /* index in job.diff.changes of the next change */
	struct device_place place; /* where the search for peers to remove continues */
	bool host_failed; /* the host is not set up, so the next reload calls set_host() again */
	struct loop_timer slices;
	struct fault error;  /* first error of the current reload; "" = no error */
	struct fault failed; /* first error of the last reload; "" = no error */
	uint64_t failed_unix_s;
	uint64_t applied_unix_s; /* time at which the file was applied last */
};

/* Initialises @r with *@conf, which has been applied to the device. Returns 0 and takes ownership
 * of the contents of *@conf, or returns -errno and leaves them to the caller. */
int reload_init(struct reload *r, const struct reload_config *config, struct conf *conf);
void reload_done(struct reload *r); /* does nothing if *r is all zero */

/* Requests a reload. If a reload already runs, the new one begins after it. @wishes: one or more of
 * enum reload_wish. Returns the number of the requested reload. When this reload has ended,
 * ended() is called with the number. */
unsigned reload_begin(struct reload *r, unsigned wishes);

/* Returns the number of the last reload that runs, is requested, or will begin because the file has
 * changed. Returns 0 if there is no such reload. */
unsigned reload_awaited(struct reload *r);

/* Ends what set_host() began. @result: 0; 1 if the interface is in another namespace, so that a
 * reload must set up the host when the interface is back; or -errno with the reason in @f. */
void reload_host_set(struct reload *r, int result, const struct fault *f);

/* If the last reload could not set up the host, begins another reload. */
void reload_host_again(struct reload *r);

#endif
