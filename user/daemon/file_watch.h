/* SPDX-License-Identifier: MIT */
/*
 * file_watch.h - tells when a file has another content: written in place, replaced by rename(2), or
 * behind a symbolic link that leads elsewhere now (`..data` of Kubernetes).
 *
 *   inotify on the directory of the path, and on that of the file behind its links ─┐
 *   every 5 s, because not every file system and directory link is covered ─────────┴▶ stat(2)
 *      ─▶ another inode, size or time ─▶ 500 ms without a further change ─▶ changed()
 *
 * A file that is absent is no change; wgxdp waits for it. Control thread.
 */
#ifndef WGXDP_FILE_WATCH_H
#define WGXDP_FILE_WATCH_H

#include <sys/stat.h>

#include "util/loop.h"

#define FILE_WATCH_QUIET_NS 500000000ULL
#define FILE_WATCH_POLL_NS 5000000000ULL

struct file_watch {
	struct loop *loop;     /* NULL: not open */
	const char *path;      /* absolute */
	int fd;		       /* inotify, or -1: only every 5 s */
	int directory, target; /* watches, or -1; equal if there is no link */
	struct stat known;     /* the content that the owner knows; st_nlink = 0: none */
	struct stat latest;    /* what stat(2) said last */
	struct loop_timer quiet, poll;
	void (*changed)(void *ctx);
	void *ctx;
};

/* Watches @path, which is borrowed. @known is what stat(2) said of the file before its content was
 * read. Without inotify the file is looked at every 5 s. */
void file_watch_open(struct file_watch *w, struct loop *loop, const char *path,
		     const struct stat *known, void (*changed)(void *ctx), void *ctx);
void file_watch_close(struct file_watch *w); /* fine if all zero */

/* The file as it is now is known, or about to be read. Fine if all zero. */
void file_watch_know(struct file_watch *w);

#endif
