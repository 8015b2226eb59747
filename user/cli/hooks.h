/* SPDX-License-Identifier: MIT */
/*
 * hooks.h - runs PreUp, PostUp, PreDown and PostDown of a config file as wg-quick(8) does. The
 * process of the wgxdp command runs the hooks; the daemon runs none.
 *
 * Each hook is printed as "[#] COMMAND" on stderr, with "%i" replaced by the interface, and given
 * to bash(1) with wg-quick's settings (-e -o pipefail -O extglob, LC_ALL=C). The shell inherits
 * stdin, stdout and stderr from wgxdp, ignores the signals that wgxdp ignores (SIGHUP under
 * nohup(1)), and blocks no signal.
 */
#ifndef WGXDP_HOOKS_H
#define WGXDP_HOOKS_H

#include "conf/conf.h"
#include "util/fault.h"

/* The arguments that all hooks of one run share. Borrows the strings and the lease. */
struct hooks {
	const char *interface;
	const char *path; /* path of the config file, for messages */
	/* The socket to the daemon (daemon/lease.h). If the socket is shut down, the running hook
	 * is terminated. -1 = no socket. */
	int lease;
};

/* Runs @list in order until a hook fails. Returns 0, or -errno with @f filled in: -ECANCELED if the
 * hook failed or the lease ended, else the error of starting bash. */
int hooks_run(const struct hooks *h, enum conf_hook kind, const struct conf_list *list,
	      struct fault *f);

/* Runs all hooks of @list, even after one has failed, and warns of each failure. Returns the number
 * of failures. */
unsigned hooks_run_all(const struct hooks *h, enum conf_hook kind, const struct conf_list *list);

#endif
