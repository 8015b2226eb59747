/* SPDX-License-Identifier: MIT */
#include "control/socket_file.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static bool file_is_ours(const struct socket_file *s)
{
	struct stat st;

	return s->has_file && lstat(s->path, &st) == 0 && st.st_dev == s->dev &&
	       st.st_ino == s->ino;
}

static void remember_file(struct socket_file *s)
{
	struct stat st;

	if (lstat(s->path, &st) != 0)
		return;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	s->has_file = true;
}

static void on_watch(void *ctx, int fd, uint32_t events)
{
	char sink[4096] __attribute__((aligned(8)));
	struct socket_file *s = ctx;

	(void)events;
	while (read(fd, sink, sizeof(sink)) > 0)
		;
	if (file_is_ours(s))
		return;
	loop_delete(s->loop, fd);
	s->has_file = false;
	if (s->deleted)
		s->deleted(s->ctx);
}

static void parent_of(const struct socket_file *s, char directory[static sizeof(s->path)])
{
	memcpy(directory, s->path, sizeof(s->path));
	*strrchr(directory, '/') = '\0';
}

/* Creates the directory. Refuses a directory that another user could change. */
static int make_directory(const struct socket_file *s, mode_t mode, struct fault *f)
{
	char directory[sizeof(s->path)];
	struct stat st;

	parent_of(s, directory);
	if (mkdir(directory, mode) == 0) {
		if (chmod(directory, mode) != 0) /* mkdir() has applied the umask */
			return fault(f, -errno, "%s: %s", directory, strerror(errno));
	} else if (errno != EEXIST) {
		return fault(f, -errno, "%s: %s%s", directory, strerror(errno),
			     fault_remedy(errno));
	}
	if (stat(directory, &st) != 0)
		return fault(f, -errno, "%s: %s", directory, strerror(errno));
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return fault(f, -EACCES,
			     "%s: must be a directory that only its owner, user %u, can "
			     "write to; remove it or change its mode",
			     directory, geteuid());
	return 0;
}

/* Binds the socket @fd. Replaces a stale socket file. */
static int bind_file(const struct socket_file *s, int fd, struct fault *f)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memcpy(address.sun_path, s->path, sizeof(address.sun_path));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return 0;
	if (errno == EADDRINUSE) {
		if (socket_file_answers(s->path))
			return fault(f, -EADDRINUSE,
				     "%s: in use: another process serves this "
				     "interface; detach it or choose another name",
				     s->path);
		if (unlink(s->path) == 0 &&
		    bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
			return 0;
	}
	return fault(f, -errno, "%s: %s", s->path, strerror(errno));
}

/* -------------------------------------------------------------------------------------------- */

bool socket_file_answers(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool answers;

	if (fd < 0)
		return true;
	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	/* EAGAIN: the backlog is full, so the listener is alive. */
	answers = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ||
		  errno == EAGAIN;
	close(fd);
	return answers;
}

int socket_file_init(struct socket_file *s, const char *path, struct fault *f)
{
	*s = (struct socket_file){ .watch_fd = -1 };
	if (strlen(path) >= sizeof(s->path))
		return fault(f, -ENAMETOOLONG, "%s: too long for a socket", path);
	memcpy(s->path, path, strlen(path) + 1);
	return 0;
}

int socket_file_bind(struct socket_file *s, mode_t directory_mode, int *fd, struct fault *f)
{
	int socket_fd, err = make_directory(s, directory_mode, f);

	if (err)
		return err;
	socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* bind() gives the file the mode of the socket, so no other user can connect at any
	 * time. */
	if (socket_fd < 0 || fchmod(socket_fd, 0600) != 0)
		err = fault(f, -errno, "%s: %s", s->path, strerror(errno));
	else
		err = bind_file(s, socket_fd, f);
	if (!err)
		remember_file(s);
	if (!err)
		*fd = socket_fd;
	else if (socket_fd >= 0)
		close(socket_fd);
	return err;
}

/* Returns true if the socket @fd is bound to the file. The paths may differ, for example /run and
 * /var/run. */
static bool is_bound_to(const struct socket_file *s, int fd)
{
	struct sockaddr_un address = { 0 };
	socklen_t len = sizeof(address) - 1; /* so the path always ends with a NUL */
	struct stat st;

	return s->has_file && getsockname(fd, (struct sockaddr *)&address, &len) == 0 &&
	       address.sun_family == AF_UNIX && lstat(address.sun_path, &st) == 0 &&
	       S_ISSOCK(st.st_mode) && st.st_dev == s->dev && st.st_ino == s->ino;
}

int socket_file_adopt(struct socket_file *s, int fd, struct fault *f)
{
	remember_file(s);
	if (is_bound_to(s, fd))
		return 0;
	s->has_file = false;
	return fault(f, -ENOENT, "%s: the inherited socket must be bound to this path", s->path);
}

/* wg-quick(8) and administrators end a userspace implementation by deleting its socket file. */
int socket_file_watch(struct socket_file *s, struct loop *loop, void (*deleted)(void *ctx),
		      void *ctx)
{
	char directory[sizeof(s->path)];
	int watch;

	s->loop = loop;
	s->deleted = deleted;
	s->ctx = ctx;
	s->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (s->watch_fd < 0)
		return -errno;
	parent_of(s, directory);
	watch = inotify_add_watch(s->watch_fd, directory,
				  IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF |
					  IN_MOVE_SELF);
	if (watch < 0)
		return -errno;
	/* If the file was deleted before the watch began, remove the watch: the event IN_IGNORED
	 * then makes the loop call on_watch(). */
	if (!file_is_ours(s))
		inotify_rm_watch(s->watch_fd, watch);
	return loop_add(s->loop, s->watch_fd, EPOLLIN, on_watch, s);
}

void socket_file_done(struct socket_file *s)
{
	if (file_is_ours(s))
		unlink(s->path);
	if (s->watch_fd >= 0) {
		loop_delete(s->loop, s->watch_fd);
		close(s->watch_fd);
	}
	s->has_file = false;
	s->watch_fd = -1;
}
