/* SPDX-License-Identifier: MIT */
/*
 * names.h - looks up the names of endpoints before the daemon starts. `wgxdp attach` waits briefly
 * for DNS, so that the routes to the peers can determine the MTU and the NIC, and so that the
 * command fails if a name does not exist.
 */
#ifndef WGXDP_CLI_NAMES_H
#define WGXDP_CLI_NAMES_H

#include "conf/conf.h"

#define NAMES_WAIT_S 10

/* Looks up the names of all endpoints and fills in the addresses. The queries carry @fwmark (0 = no
 * mark). Waits for DNS for at most NAMES_WAIT_S, and prints the remaining time to stderr: as a
 * countdown on a terminal, else as one line. If a name is still unknown after the wait, its
 * endpoint stays AF_UNSPEC and a warning is printed; the daemon continues the lookup. Returns 0, or
 * -errno with @f filled in: -ENOENT (neither DNS nor getaddrinfo(3) knows a name), -ENOMEM. */
int names_resolve(struct conf *conf, uint32_t fwmark, struct fault *f);

#endif
