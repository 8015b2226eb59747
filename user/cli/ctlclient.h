/* SPDX-License-Identifier: MIT */
/* ctlclient.h - the commands' side of wgxdp/control.h; blocks. */
#ifndef WGXDP_CTLCLIENT_H
#define WGXDP_CTLCLIENT_H

#include <jansson.h>

#include "util/fault.h"
#include "wgxdp/limits.h"

/* Asks the daemon of @interface to do @op and waits up to @timeout_s for its answer. Returns 0 and
 * a new reference in *@reply; or -errno with @f: -ENOENT (no daemon has the interface), -EACCES,
 * -ETIMEDOUT, -EPROTO, -EREMOTEIO (it refused; the sentence is the daemon's). */
int ctlclient_request(const char *interface, const char *op, unsigned timeout_s, json_t **reply,
		      struct fault *f);

/* The same with a request of more members; @request is released. */
int ctlclient_ask(const char *interface, json_t *request, unsigned timeout_s, json_t **reply,
		  struct fault *f);

/* Names of the interfaces that have a control socket, sorted. Returns how many, with *@names to be
 * freed by free(), or -errno with @f. */
int ctlclient_interfaces(char (**names)[IFNAME_MAX + 1], struct fault *f);

#endif
