/* SPDX-License-Identifier: MIT */
/*
 * names.h - the names of endpoints, before the daemon starts: attach waits a moment for DNS, so
 * that the MTU and the NIC can be chosen by the routes to the peers, and so that a name that does
 * not exist is an error of attach.
 */
#ifndef WGXDP_CLI_NAMES_H
#define WGXDP_CLI_NAMES_H

#include "conf/conf.h"

#define NAMES_WAIT_S 10

/* Looks up the names of all endpoints and fills in the addresses. Waits for DNS for at most
 * NAMES_WAIT_S, and prints that to stderr: as a countdown on a terminal, else as one line.
 * Endpoints that are then still not known stay AF_UNSPEC, with a warning; the daemon continues to
 * look them up. Returns 0, or -errno with @f filled in: -ENOENT (a name exists neither in DNS nor
 * for getaddrinfo(3)), -ENOMEM. */
int names_resolve(struct conf *conf, struct fault *f);

#endif
