/* SPDX-License-Identifier: MIT */
/*
 * open_files.h - the limit of open files (RLIMIT_NOFILE). The usual soft limit of 1024 protects
 * programs that use select(2), which cannot handle higher descriptors. The daemon does not use
 * select(2), so it raises its soft limit to the hard limit. The programs that it starts get the
 * caller's soft limit (spawn.h).
 *
 *   attach ─▶ open_files_raise ─┬─▶ fork the daemon, which inherits the raised limit
 *                               └─▶ spawn_start: open_files_restore ─▶ hook, program for DNS
 */
#ifndef WGXDP_OPEN_FILES_H
#define WGXDP_OPEN_FILES_H

#include "util/fault.h"

/* The hard limit must allow at least this number. With one NIC a daemon with one worker has 90 open
 * files. A daemon with four workers, which is the most by default, has 153 if the NIC has 16
 * queues. The rest is for more NICs and queues, connections to the sockets, and reloads. */
#define OPEN_FILES_MIN 256

/* Raises the soft limit to the hard limit, and remembers the former soft limit. Call this before
 * other threads start. Returns 0, or -EMFILE with @f filled in if the hard limit is below
 * OPEN_FILES_MIN; then the limits are unchanged. */
int open_files_raise(struct fault *f);

/* Restores the soft limit that open_files_raise() found, if it was called in this process or in the
 * process that forked this one. Only makes system calls, so a child of vfork(2) may call this. */
void open_files_restore(void);

#define OPEN_FILES_ROOM_MAX 64

/* Returns 0 if @count more files can be opened now (at most OPEN_FILES_ROOM_MAX), else -EMFILE or
 * -ENFILE. Use this where a library hides these errors: libbpf continues without what it could not
 * open, and if_nametoindex(3) returns ENOENT. */
int open_files_room(unsigned count);

#endif
