/* SPDX-License-Identifier: MIT */
/* open_files.h - the limit of open files (RLIMIT_NOFILE). */
#ifndef WGXDP_OPEN_FILES_H
#define WGXDP_OPEN_FILES_H

#define OPEN_FILES_ROOM_MAX 64

/* Returns 0 if @count more files can be opened now (at most OPEN_FILES_ROOM_MAX), else -EMFILE or
 * -ENFILE. Use this where a library hides these errors: libbpf continues without what it could not
 * open, and if_nametoindex(3) returns ENOENT. */
int open_files_room(unsigned count);

#endif
