/* SPDX-License-Identifier: MIT */
#include "daemon/file_watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "util/file.h"
#include "util/log.h"

#define EVENTS                                                                                     \
	(IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM |        \
	 IN_DELETE | IN_ONLYDIR | IN_EXCL_UNLINK)

static int watch_directory(const struct file_watch *w, const char *path)
{
	char directory[PATH_MAX];

	file_directory(path, directory);
	return inotify_add_watch(w->fd, directory, EVENTS);
}

/* Renews the watches, because symbolic links may have changed. If a directory already has a watch,
 * inotify_add_watch(2) returns that watch. */
static void renew_watches(struct file_watch *w)
{
	char target[PATH_MAX];
	int was = w->target;

	if (w->fd < 0)
		return;
	w->directory = watch_directory(w, w->path);
	w->target = realpath(w->path, target) ? watch_directory(w, target) : -1;
	if (was >= 0 && was != w->target && was != w->directory)
		inotify_rm_watch(w->fd, was);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_nlink && b->st_nlink && file_same(a, b);
}

/* Fills in @st for the file; st_nlink = 0 if there is no file. */
static void look(const struct file_watch *w, struct stat *st)
{
	if (stat(w->path, st) || !S_ISREG(st->st_mode))
		*st = (struct stat){ 0 };
	else if (!st->st_nlink)
		st->st_nlink = 1; /* the file exists, but FUSE may report no link */
}

/* Checks the file for a change. Each change restarts the wait of FILE_WATCH_QUIET_NS. */
static void check(struct file_watch *w)
{
	bool waited = loop_timer_armed(&w->quiet);
	struct stat now;

	look(w, &now);
	renew_watches(w);
	if (!now.st_nlink || same_file(&now, &w->known))
		loop_timer_cancel(&w->quiet);
	else if (!waited || !same_file(&now, &w->latest))
		loop_timer_arm(&w->quiet, loop_now_ns() + FILE_WATCH_QUIET_NS);
	w->latest = now;
	if (waited && !loop_timer_armed(&w->quiet))
		w->unchanged(w->ctx);
}

static void on_events(void *ctx, int fd, uint32_t events)
{
	char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

	(void)events;
	/* The contents of the events are ignored, because check() examines the file itself. Events
	 * that do not fit into the buffer are read in the next iteration of the loop. */
	if (read(fd, buffer, sizeof(buffer)) > 0)
		check(ctx);
}

static void on_poll(void *ctx, uint64_t now_ns)
{
	struct file_watch *w = ctx;

	check(w);
	loop_timer_arm(&w->poll, now_ns + FILE_WATCH_POLL_NS);
}

static void on_quiet(void *ctx, uint64_t now_ns)
{
	struct file_watch *w = ctx;
	struct stat before = w->latest;

	(void)now_ns;
	check(w);
	if (!loop_timer_armed(&w->quiet)) {
		w->unchanged(w->ctx);
	} else if (same_file(&before, &w->latest)) {
		loop_timer_cancel(&w->quiet);
		w->changed(w->ctx);
	} /* else the file has just changed again */
}

void file_watch_open(struct file_watch *w, struct loop *loop, const char *path,
		     const struct stat *known, void (*changed)(void *ctx),
		     void (*unchanged)(void *ctx), void *ctx)
{
	*w = (struct file_watch){
		.loop = loop,
		.path = path,
		.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC),
		.directory = -1,
		.target = -1,
		.known = *known,
		.changed = changed,
		.unchanged = unchanged,
		.ctx = ctx,
	};
	loop_timer_init(&w->quiet, loop, on_quiet, w);
	loop_timer_init(&w->poll, loop, on_poll, w);
	if (w->fd >= 0 && loop_add(loop, w->fd, EPOLLIN, on_events, w)) {
		close(w->fd);
		w->fd = -1;
	}
	if (w->fd < 0)
		log_info("%s: inotify is not available, so changes of the file are noticed "
			 "after up to 5 s",
			 path);
	loop_timer_arm(&w->poll, 0);
}

void file_watch_close(struct file_watch *w)
{
	if (!w->loop)
		return;
	loop_timer_done(&w->quiet);
	loop_timer_done(&w->poll);
	if (w->fd >= 0) {
		loop_delete(w->loop, w->fd);
		close(w->fd);
	}
	w->loop = NULL;
}

bool file_watch_changing(struct file_watch *w)
{
	if (!w->loop)
		return false;
	check(w);
	return loop_timer_armed(&w->quiet);
}

bool file_watch_waiting(const struct file_watch *w)
{
	return w->loop && loop_timer_armed(&w->quiet);
}

void file_watch_know(struct file_watch *w)
{
	if (!w->loop)
		return;
	look(w, &w->known);
	w->latest = w->known;
	loop_timer_cancel(&w->quiet);
}
