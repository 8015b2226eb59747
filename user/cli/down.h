/* SPDX-License-Identifier: MIT */
/*
 * down.h - runs PreDown and PostDown for `wgxdp detach`, and for an attach that finds the files of
 * a killed daemon.
 *
 * As wg-quick(8) does, detach reads the config file again, so that corrections to a hook take
 * effect. If the file is gone or has an error, detach runs the hooks of the last applied file,
 * which the daemon has recorded (daemon/hook_record.h).
 */
#ifndef WGXDP_DOWN_H
#define WGXDP_DOWN_H

#include "conf/conf.h"
#include "daemon/hook_record.h"

struct down {
	const char *interface;
	struct hook_record record; /* path = NULL: no config file was attached */
	int lock_fd;		   /* locks the record; negative = no record */
	bool has_file;		   /* the file could be read, so its hooks run */
	struct conf file;
	const char *path; /* path of the file; NULL = no file */
	unsigned failures;
};

/* Reads the record of @interface and, if there is one, the config file. The file is @path, or if
 * @path is NULL, the file that was attached. While another command runs the hooks of @interface,
 * warns once and waits. Warns if the record or the file cannot be read. down_done() releases
 * everything. */
void down_open(struct down *d, const char *interface, const char *path);
/* Like down_open(), but reads only the record, which a killed daemon of @interface left, and not
 * the config file. */
void down_open_recorded(struct down *d, const char *interface);
void down_done(struct down *d);

/* Run the PreDown or PostDown hooks. Warn of each failure and count it in d->failures. */
void down_pre(struct down *d);
void down_post(struct down *d);

#endif
