/* SPDX-License-Identifier: MIT */
#include "util/open_files.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/fault.h"

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
