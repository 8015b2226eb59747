/* SPDX-License-Identifier: MIT */
/* confirm.h - the process that `attach --confirm` leaves behind. */
#ifndef WGXDP_CLI_CONFIRM_H
#define WGXDP_CLI_CONFIRM_H

#include <stdint.h>

#include "util/fault.h"

/* Starts a process that waits until the daemon of @interface is confirmed or its @seconds are over.
 * In the second case it detaches the interface, hooks included. It is not bound to the terminal.
 * 0/-errno with @f. */
int confirm_guard(const char *interface, uint32_t seconds, struct fault *f);

#endif
