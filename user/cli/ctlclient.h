/* SPDX-License-Identifier: MIT */
/* ctlclient.h - the commands' side of wgxdp/control.h. All calls block. */
#ifndef WGXDP_CTLCLIENT_H
#define WGXDP_CTLCLIENT_H

#include <jansson.h>
#include <stdbool.h>

#include "util/fault.h"
#include "wgxdp/limits.h"

/* Asks the daemon of @interface to do @op, and waits up to @timeout_s for each part of its answer.
 * Returns 0 with a new reference in *@reply, or -errno with @f: -ENOENT (no daemon serves the
 * interface), -EACCES, -ETIMEDOUT, -EPROTO, -EREMOTEIO (the daemon refused, and the sentence is its
 * own, with both versions if they differ). */
int ctlclient_request(const char *interface, const char *op, unsigned timeout_s, json_t **reply,
		      struct fault *f);

/* The same for a request with further members. Releases @request. */
int ctlclient_ask(const char *interface, json_t *request, unsigned timeout_s, json_t **reply,
		  struct fault *f);

/* Returns true, with a sentence in @f that names both versions, if the daemon of @interface that
 * sent @reply is of another version than this command. */
bool ctlclient_version_differs(const char *interface, const json_t *reply, struct fault *f);

/* Lists the interfaces that have a control socket, sorted by name. Returns their number with
 * *@names, which the caller frees, or -errno with @f. */
int ctlclient_interfaces(char (**names)[IFNAME_MAX + 1], struct fault *f);

#endif
