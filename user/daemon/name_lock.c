/* SPDX-License-Identifier: MIT */
#include "daemon/name_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/crash_record.h"
#include "io/netns.h"
#include "util/file.h"
#include "wgxdp/control.h"
#include "wgxdp/limits.h"

#define POLL_MS 10
#define DYING_MS 5000
#define PID_LEN 16
#define FLAG_EXITING 4 /* PF_EXITING, include/linux/sched.h */
#define LOCK_PATH_LEN (sizeof(CONTROL_DIRECTORY) + IFNAME_MAX + 8)

static void lock_path(char path[static LOCK_PATH_LEN], const char *interface)
{
	snprintf(path, LOCK_PATH_LEN, CONTROL_DIRECTORY "/%s.lock", interface);
}

static void read_pid(int fd, char pid[static PID_LEN])
{
	ssize_t n = pread(fd, pid, PID_LEN - 1, 0);

	pid[n > 0 ? n : 0] = '\0';
	pid[strspn(pid, "0123456789")] = '\0';
}

/* Returns true if the process has ended or was killed. A killed process may still hold the lock,
 * because the kernel closes its descriptors late. Reads /proc/PID/stat, see proc(5). */
static bool is_dying(const char *pid)
{
	char path[32 + PID_LEN], line[512] = "", state;
	unsigned long long waiting;
	unsigned flags;
	const char *at;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	stat = *pid ? fopen(path, "re") : NULL;
	if (!stat)
		return true;
	at = fgets(line, sizeof(line), stat) ? strrchr(line, ')') : NULL;
	fclose(stat);
	if (!at || sscanf(at,
			  ") %c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
			  "%*d %*d %*u %*u %*d %*u %*u %*u %*u %*u %*u %llu",
			  &state, &flags, &waiting) != 3)
		return true;
	return state == 'Z' || state == 'X' || flags & FLAG_EXITING ||
	       waiting & 1ULL << (SIGKILL - 1);
}

/* Takes the lock. If the owner of the lock is dying, waits until the owner has ended. */
static int take_lock(int fd, char pid[static PID_LEN])
{
	for (unsigned waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB); waited_ms += POLL_MS) {
		read_pid(fd, pid);
		if (waited_ms >= DYING_MS || !is_dying(pid))
			return -EBUSY;
		usleep(POLL_MS * 1000);
	}
	return 0;
}

static int in_use(const char *interface, const char *pid, struct fault *f)
{
	uint64_t ns = netns_of_process(pid);
	char name[NETNS_NAME_LEN], where[NETNS_NAME_LEN + 32] = "";

	if (ns && ns != netns_of_process("self")) {
		if (!netns_name(ns, name))
			snprintf(name, sizeof(name), "net:[%" PRIu64 "]", ns);
		snprintf(where, sizeof(where), " in network namespace %s", name);
	}
	return fault(f, -EBUSY, "%s: in use by wgxdp, process %s%s; `wgxdp detach %s%s` ends it",
		     interface, *pid ? pid : "unknown", where, fault_dashes(interface), interface);
}

bool name_lock_exists(const char *interface)
{
	char path[LOCK_PATH_LEN];
	struct stat st;

	lock_path(path, interface);
	return lstat(path, &st) == 0;
}

int name_lock_take(const char *interface, int *lock_fd, struct fault *f)
{
	char path[LOCK_PATH_LEN], pid[PID_LEN];
	struct crash_record record;
	struct stat held, named;
	int fd, err;

	lock_path(path, interface);
	if (mkdir(CONTROL_DIRECTORY, 0700) && errno != EEXIST)
		return fault(f, -errno, "%s: %s%s", CONTROL_DIRECTORY, strerror(errno),
			     fault_remedy(errno));
retry:
	fd = file_open(path, O_RDWR | O_CREAT, f);
	if (fd < 0)
		return fd;
	if (take_lock(fd, pid)) {
		close(fd);
		return in_use(interface, pid, f);
	}
	/* The former owner may have removed the file between our open and flock, so check that the
	 * file still exists. */
	if (fstat(fd, &held) || stat(path, &named) || held.st_ino != named.st_ino) {
		close(fd);
		goto retry;
	}
	crash_record_undo(interface, fd);
	err = crash_record_begin(&record, fd);
	if (err) {
		close(fd);
		return fault(f, err, "%s: %s", path, strerror(-err));
	}
	*lock_fd = fd;
	return 0;
}

void name_lock_release(const char *interface, int lock_fd)
{
	char path[LOCK_PATH_LEN];

	if (lock_fd < 0)
		return;
	lock_path(path, interface);
	unlink(path); /* remove the file while it is locked; the next owner creates a new file */
	close(lock_fd);
}

bool name_lock_is_stale(const char *interface, int *pid)
{
	char path[LOCK_PATH_LEN], text[PID_LEN];
	bool stale;
	int fd;

	lock_path(path, interface);
	fd = file_open(path, O_RDONLY, NULL);
	if (fd < 0)
		return false;
	stale = flock(fd, LOCK_SH | LOCK_NB) == 0;
	read_pid(fd, text);
	close(fd);
	*pid = atoi(text);
	return stale;
}

bool name_lock_wait_free(const char *interface, unsigned timeout_ms)
{
	char path[LOCK_PATH_LEN];

	lock_path(path, interface);
	for (unsigned waited_ms = 0;; waited_ms += POLL_MS) {
		int fd = file_open(path, O_RDONLY, NULL);
		bool available = fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0;

		if (fd >= 0)
			close(fd);
		if (available || waited_ms >= timeout_ms)
			return available;
		usleep(POLL_MS * 1000);
	}
}
