/* SPDX-License-Identifier: MIT */
/*
 * spawn.h - starts a program. posix_spawn(3) cannot set the limit of open files of the new process
 * (open_files.h), so this module uses vfork(2). Unlike fork(2), it neither copies the page tables
 * nor makes the workers' memory copy-on-write.
 */
#ifndef WGXDP_SPAWN_H
#define WGXDP_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

struct spawn {
	char *const *argv;
	const char *program; /* a path, or a name that is looked up in PATH */
	bool keep_ignored; /* signals that we ignore stay ignored, such as SIGHUP under nohup(1) */
	/* If true, the process gets a process group of its own. It inherits only the descriptors
	 * @input, as stdin, and @output, as stdout and stderr. Both must be above stderr. */
	bool separate;
	int input, output;
};

/* Starts the program with our environment. It blocks no signal and has the default action for each
 * signal. Its soft limit of open files is that of our caller. Returns 0 with the process in *@pid,
 * or -errno if the program cannot be run. */
int spawn_start(pid_t *pid, const struct spawn *s);

#endif
