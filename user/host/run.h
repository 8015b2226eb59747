/* SPDX-License-Identifier: MIT */
/* run.h - runs a program without a shell and waits for its end, at most for a given time. */
#ifndef WGXDP_RUN_H
#define WGXDP_RUN_H

#include <limits.h>
#include <stdbool.h>

#include "util/fault.h"

/* Finds @name in $PATH, else in the folders of the system's programs. */
bool run_find(const char *name, char path[static PATH_MAX]);

/* Runs argv[0], a path, with @input as its standard input (NULL = no input). The program inherits
 * none of our descriptors and has the default signal actions. Notifies the service manager's
 * watchdog first. After @timeout_ms, kills the program and its children. Returns 0 if the program
 * exits with status 0. Else returns, with @f filled in, -ETIMEDOUT, -EREMOTEIO (another exit
 * status, or a signal; the message quotes the program's output), or the -errno of starting the
 * program. */
int run_program(char *const argv[], const char *input, unsigned timeout_ms, struct fault *f);

#endif
