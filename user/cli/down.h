/* SPDX-License-Identifier: MIT */
/*
 * down.h - the hooks that run around the end of a tunnel, for `wgxdp detach`, and for an attach
 * that finds what a killed daemon left.
 *
 * As wg-quick(8) does, detach reads the config file anew, so that a hook which was corrected in the
 * file is the one that runs. If the file is gone or has a fault, the hooks of the last applied file
 * run, which the daemon has recorded (daemon/hook_record.h).
 */
#ifndef WGXDP_DOWN_H
#define WGXDP_DOWN_H

#include "conf/conf.h"
#include "daemon/hook_record.h"

struct down {
	const char *interface;
	struct hook_record record; /* path = NULL: no config file was attached */
	bool has_file;		   /* the file could be read: its hooks run */
	struct conf file;
	const char *path; /* of the file; NULL: none */
	unsigned failures;
};

/* Reads the record of @interface and the file: @path if it is not NULL, else the file that was
 * attached. Warns if the file cannot be used. down_done() releases everything. */
void down_open(struct down *d, const char *interface, const char *path);
/* The same, but uses only the hooks in the record of a killed daemon. */
void down_open_recorded(struct down *d, const char *interface);
void down_done(struct down *d);

/* Run the hooks PreDown or PostDown. Warn of failures and count them in d->failures. */
void down_pre(struct down *d);
void down_post(struct down *d);

#endif
