/* SPDX-License-Identifier: MIT */
/* confirm.h - the process that `attach --confirm` leaves behind. */
#ifndef WGXDP_CLI_CONFIRM_H
#define WGXDP_CLI_CONFIRM_H

#include <stdint.h>

#include "util/fault.h"

/* Starts a process that waits until the daemon of @interface is confirmed or @seconds have passed.
 * If the time passes without a confirmation, the process detaches the interface and runs the hooks,
 * as `wgxdp detach` does. The process leaves the terminal's session. Returns 0, or -errno with @f
 * filled in. */
int confirm_guard(const char *interface, uint32_t seconds, struct fault *f);

#endif
