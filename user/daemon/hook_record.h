/* SPDX-License-Identifier: MIT */
/*
 * hook_record.h - a record of the hooks of an interface, so that `wgxdp detach` can run them if the
 * config file is missing or has an error, or if the daemon was killed. The record is the file
 * /run/wgxdp/<interface>.hooks, mode 0600.
 *
 *   attach, reload ─▶ the daemon writes the record
 *   detach         ─▶ the command reads the record; the daemon removes the record when it ends
 *   kill -9, or a second SIGTERM ─▶ the record stays. The next detach or attach runs the hooks and
 *                     removes the record
 *
 * The file holds strings that end with a NUL: HOOK_RECORD_MAGIC, the path of the config file, and
 * each hook, preceded by the letter 'D' (PreDown) or 'P' (PostDown).
 */
#ifndef WGXDP_HOOK_RECORD_H
#define WGXDP_HOOK_RECORD_H

#include "conf/conf.h"

#define HOOK_RECORD_MAGIC "wgxdp hooks 1"

struct hook_record {
	char *path; /* absolute path of the config file */
	struct conf_list pre_down, post_down;
	char *text; /* memory that holds all these strings */
};

/* Writes a new record of @interface with the hooks of @conf and @path, the absolute path of the
 * config file. Returns 0, or -errno with an earlier record unchanged. */
int hook_record_write(const char *interface, const struct conf *conf, const char *path);

/* Locks the record, so that only one command at a time runs the hooks. If another command holds the
 * lock and @wait is true, waits for that command. Returns a descriptor, which holds the lock until
 * it is closed; or -ENOENT (there is no record), -EWOULDBLOCK (another command holds the lock) or
 * another -errno. */
int hook_record_lock(const char *interface, bool wait);

/* Reads the record. Returns 0 with *@r filled in; the caller releases it with hook_record_done().
 * Or returns -errno with @f filled in: -ENOENT (there is no record), -EBADMSG or -EFBIG (the record
 * is damaged), -EINVAL (not a regular file) or another -errno. */
int hook_record_read(const char *interface, struct hook_record *r, struct fault *f);
void hook_record_done(struct hook_record *r); /* does nothing if *r is all zero */

/* Parses the @len bytes at @text, which comes from malloc(). Returns 0, and *@r then owns @text; or
 * returns -EBADMSG or -ENOMEM, and the caller still owns @text. */
int hook_record_parse(struct hook_record *r, char *text, size_t len);

void hook_record_remove(const char *interface); /* does nothing if no record exists */

#endif
