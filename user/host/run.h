/* SPDX-License-Identifier: MIT */
/* run.h - runs a program without a shell and waits for its end, at most for a given time. */
#ifndef WGXDP_RUN_H
#define WGXDP_RUN_H

#include <limits.h>
#include <stdbool.h>

#include "util/fault.h"

/* Finds @name in $PATH, else in the folders of the system's programs. */
bool run_find(const char *name, char path[static PATH_MAX]);

/* Runs argv[0], a path, with @input (may be NULL: nothing) as its standard input. The program gets
 * no descriptor of ours and the default handling of signals. After @timeout_ms it is killed with
 * what it has started. Returns 0 if it exits with 0; else with @f -ETIMEDOUT, -EREMOTEIO (another
 * status; the sentence quotes what the program printed), or -errno (it cannot be started). */
int run_program(char *const argv[], const char *input, unsigned timeout_ms, struct fault *f);

#endif
