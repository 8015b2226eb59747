/* SPDX-License-Identifier: MIT */
/*
 * socket_file.h - the file of a listening Unix socket: creates it in a directory that no other user
 * can change, notices its deletion, and unlinks it at the end. Runs in the control thread.
 */
#ifndef WGXDP_SOCKET_FILE_H
#define WGXDP_SOCKET_FILE_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

#include "util/fault.h"
#include "util/loop.h"

struct socket_file {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	bool has_file; /* dev and ino identify the file of our socket */
	dev_t dev;
	ino_t ino;
	struct loop *loop;
	int watch_fd; /* -1: the file is not watched */
	void (*deleted)(void *ctx);
	void *ctx;
};

/* Returns true if a process listens at the socket file @path. Also returns true if no socket can be
 * created for the test, so that the caller does not unlink the file of a live process. */
bool socket_file_answers(const char *path);

/* Initialises @s for the socket file @path, an absolute path that is copied. Returns 0, or
 * -ENAMETOOLONG with @f filled in. */
int socket_file_init(struct socket_file *s, const char *path, struct fault *f);

/* Creates a stream socket that is bound to the file, which has mode 0600. Creates the directory
 * with @directory_mode if it is missing, and replaces a stale socket file. Returns 0 with the
 * socket in *@fd, which the caller closes, or -errno with @f filled in: -EADDRINUSE (another
 * process listens at the path), -EACCES. */
int socket_file_bind(struct socket_file *s, mode_t directory_mode, int *fd, struct fault *f);

/* Adopts the inherited socket @fd, which another process has bound to the file. Called instead of
 * socket_file_bind(). Returns 0, or -ENOENT with @f filled in if @fd is not bound to the file. */
int socket_file_adopt(struct socket_file *s, int fd, struct fault *f);

/* Calls @deleted once, from the loop, when the file has been deleted or replaced since
 * socket_file_bind() or socket_file_adopt(). @deleted may be NULL. Returns 0 or -errno. */
int socket_file_watch(struct socket_file *s, struct loop *loop, void (*deleted)(void *ctx),
		      void *ctx);

/* Ends the watch, and unlinks the file if it was bound or adopted and is still the same. A second
 * call has no effect. */
void socket_file_done(struct socket_file *s);

#endif
