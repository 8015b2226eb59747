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

/* Looks up the names of all endpoints and fills these in. Waits for DNS for NAMES_WAIT_S, which is
 * said on stderr: a countdown on a terminal, else one line. Names that are not known then stay
 * AF_UNSPEC, with a warning; the daemon goes on. Returns 0, or -errno with @f: -ENOENT (DNS says
 * that a name does not exist, and getaddrinfo(3) knows none either), -ENOMEM. */
int names_resolve(struct conf *conf, struct fault *f);

#endif
