/* SPDX-License-Identifier: MIT */
#include "util/open_files.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

static bool raised;
static rlim_t soft_before;

int open_files_raise(struct fault *f)
{
	struct rlimit limit, wanted;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return fault(f, -errno, "cannot read the limit of open files: %s", strerror(errno));
	if (limit.rlim_max < OPEN_FILES_MIN)
		return fault(f, -EMFILE,
			     "the hard limit of open files (`ulimit -Hn`) is %llu, but a daemon "
			     "needs at least %d; raise it as root by `ulimit -Hn %d`, or by "
			     "LimitNOFILE=%d in the unit",
			     (unsigned long long)limit.rlim_max, OPEN_FILES_MIN, OPEN_FILES_MIN,
			     OPEN_FILES_MIN);
	wanted = (struct rlimit){ limit.rlim_max, limit.rlim_max };
	/* The kernel refuses a change if somebody has lowered fs.nr_open below the hard limit. */
	if (setrlimit(RLIMIT_NOFILE, &wanted)) {
		if (limit.rlim_cur >= OPEN_FILES_MIN)
			return 0;
		return fault(f, -EMFILE,
			     "the limit of open files (`ulimit -n`) is %llu, but a daemon needs at "
			     "least %d, and the limit cannot be raised: %s; raise it by `ulimit "
			     "-n %d`, or by LimitNOFILE=%d in the unit",
			     (unsigned long long)limit.rlim_cur, OPEN_FILES_MIN, strerror(errno),
			     OPEN_FILES_MIN, OPEN_FILES_MIN);
	}
	soft_before = limit.rlim_cur;
	raised = true;
	return 0;
}

void open_files_restore(void)
{
	struct rlimit limit;

	if (!raised || getrlimit(RLIMIT_NOFILE, &limit))
		return;
	/* Somebody may have lowered the hard limit of the running daemon by prlimit(1). */
	limit.rlim_cur = soft_before < limit.rlim_max ? soft_before : limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int open_files_room(unsigned count)
{
	int fds[OPEN_FILES_ROOM_MAX], err = 0;
	unsigned opened = 0;

	while (opened < count && opened < OPEN_FILES_ROOM_MAX && !err) {
		int fd = eventfd(0, EFD_CLOEXEC);

		if (fd >= 0)
			fds[opened++] = fd;
		else
			err = -errno;
	}
	while (opened)
		close(fds[--opened]);
	return fault_is_limit(err) ? err : 0;
}
