/* SPDX-License-Identifier: MIT */
#include "util/spawn.h"

#include <signal.h>

int spawn_reset_signals(posix_spawnattr_t *attributes, bool keep_ignored)
{
	sigset_t none, defaults;
	struct sigaction action;
	short flags;
	int err;

	sigemptyset(&none);
	sigfillset(&defaults);
	for (int number = 1; number < NSIG && keep_ignored; number++)
		if (!sigaction(number, NULL, &action) && action.sa_handler == SIG_IGN)
			sigdelset(&defaults, number);
	err = posix_spawnattr_getflags(attributes, &flags);
	if (!err)
		err = posix_spawnattr_setsigmask(attributes, &none);
	if (!err)
		err = posix_spawnattr_setsigdefault(attributes, &defaults);
	if (!err)
		err = posix_spawnattr_setflags(attributes, (short)(flags | POSIX_SPAWN_SETSIGMASK |
								   POSIX_SPAWN_SETSIGDEF));
	return -err;
}
