/* SPDX-License-Identifier: MIT */
/*
 * file_watch.h - notices when the content of a file changes: the file was written in place, was
 * replaced by rename(2), or a symbolic link on its path was changed (`..data` of Kubernetes).
 *
 *   inotify on the directory of the path, and on the directory of its link target ─┐
 *   every 5 s, because inotify misses some file systems and links to directories ──┴▶ stat(2)
 *      ─▶ another inode, size or time ─▶ 500 ms without a further change ─▶ changed()
 *
 * A deletion does not count as a change: the module waits for a new file. Only the control thread
 * calls these functions.
 */
#ifndef WGXDP_FILE_WATCH_H
#define WGXDP_FILE_WATCH_H

#include <stdbool.h>
#include <sys/stat.h>

#include "util/loop.h"

#define FILE_WATCH_QUIET_NS 500000000ULL
#define FILE_WATCH_POLL_NS 5000000000ULL

struct file_watch {
	struct loop *loop;     /* NULL = not open */
	const char *path;      /* absolute path */
	int fd;		       /* inotify fd; -1 = only the check every 5 s notices changes */
	int directory, target; /* inotify watches, or -1; equal if both directories are the same */
	struct stat known;     /* stat of the content that the owner read; st_nlink = 0: no file */
	struct stat latest;    /* the last result of stat(2) */
	struct loop_timer quiet, poll;
	void (*changed)(void *ctx);
	void (*unchanged)(void *ctx);
	void *ctx;
};

/* Watches @path, which is borrowed. @known is the result of a stat(2) that preceded the reading of
 * the file. @unchanged() is called instead of @changed() if a change was noticed, but the file has
 * been deleted, or is the known one again. Without inotify, only the check every 5 s notices
 * changes. */
void file_watch_open(struct file_watch *w, struct loop *loop, const char *path,
		     const struct stat *known, void (*changed)(void *ctx),
		     void (*unchanged)(void *ctx), void *ctx);
void file_watch_close(struct file_watch *w); /* does nothing if *w is all zero */

/* Looks at the file now, which may call unchanged(). Returns true if the file has changed, so that
 * changed() or unchanged() will be called. Returns false if *@w is all zero. */
bool file_watch_changing(struct file_watch *w);

/* Returns the same without looking at the file. */
bool file_watch_waiting(const struct file_watch *w);

/* Records that the owner has read the current file, or is about to read it. Does nothing if *@w is
 * all zero. */
void file_watch_know(struct file_watch *w);

#endif
