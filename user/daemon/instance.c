/* SPDX-License-Identifier: MIT */
#include "daemon/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wgxdp/control.h"
#include "wgxdp/limits.h"

#define POLL_MS 10
#define LOCK_PATH_LEN (sizeof(CONTROL_DIRECTORY) + IFNAME_MAX + 8)

static void lock_path(char path[static LOCK_PATH_LEN], const char *interface)
{
	snprintf(path, LOCK_PATH_LEN, CONTROL_DIRECTORY "/%s.lock", interface);
}

static int in_use(const char *interface, int fd, struct fault *f)
{
	char pid[16] = "";
	ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

	pid[n > 0 ? strspn(pid, "0123456789") : 0] = '\0';
	return fault(f, -EBUSY, "%s: in use by wgxdp, process %s; `wgxdp detach %s` ends it",
		     interface, *pid ? pid : "unknown", interface);
}

int instance_take(const char *interface, int *lock_fd, struct fault *f)
{
	char path[LOCK_PATH_LEN], pid[16];
	struct stat held, named;
	int fd, len;

	lock_path(path, interface);
	if (mkdir(CONTROL_DIRECTORY, 0700) && errno != EEXIST)
		return fault(f, -errno, "%s: %s; wgxdp needs to run as root", CONTROL_DIRECTORY,
			     strerror(errno));
retry:
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fault(f, -errno, "%s: %s%s", path, strerror(errno),
			     errno == EACCES ? "; wgxdp needs to run as root" : "");
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		int err = in_use(interface, fd, f);

		close(fd);
		return err;
	}
	/* The former owner may have removed the file between open and flock. */
	if (fstat(fd, &held) || stat(path, &named) || held.st_ino != named.st_ino) {
		close(fd);
		goto retry;
	}
	len = snprintf(pid, sizeof(pid), "%d\n", getpid());
	if (ftruncate(fd, 0) || pwrite(fd, pid, (size_t)len, 0) != len) {
		int err = fault(f, -errno, "%s: %s", path, strerror(errno));

		close(fd);
		return err;
	}
	*lock_fd = fd;
	return 0;
}

void instance_release(const char *interface, int lock_fd)
{
	char path[LOCK_PATH_LEN];

	if (lock_fd < 0)
		return;
	lock_path(path, interface);
	unlink(path); /* before the lock goes: who takes it next makes a file of its own */
	close(lock_fd);
}

bool instance_wait_free(const char *interface, unsigned timeout_ms)
{
	char path[LOCK_PATH_LEN];

	lock_path(path, interface);
	for (unsigned waited_ms = 0;; waited_ms += POLL_MS) {
		int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		bool available = fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0;

		if (fd >= 0)
			close(fd);
		if (available || waited_ms >= timeout_ms)
			return available;
		usleep(POLL_MS * 1000);
	}
}
