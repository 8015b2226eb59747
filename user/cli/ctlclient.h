/* SPDX-License-Identifier: MIT */
/* ctlclient.h - the command's side of the control protocol (wgxdp/control.h). All calls block. */
#ifndef WGXDP_CTLCLIENT_H
#define WGXDP_CTLCLIENT_H

#include <jansson.h>
#include <stdbool.h>

#include "util/fault.h"
#include "wgxdp/limits.h"

/* Returns 0 if a daemon serves the interface, or -errno with @f filled in. Sends no request. */
int ctlclient_reach(const char *interface, struct fault *f);

/* Sends the request @op to the daemon of @interface, and waits up to @timeout_s for each part of
 * the reply. Returns 0 with a new reference in *@reply, or -errno with @f filled in: -ENOENT (no
 * daemon serves the interface), -EACCES, -ETIMEDOUT, -ECONNRESET or -EPIPE (the daemon has ended),
 * -EPROTO, -EREMOTEIO (the daemon refused; @f has the daemon's message, and both versions if they
 * differ), -ECANCELED (the same, because a reload failed). */
int ctlclient_request(const char *interface, const char *op, unsigned timeout_s, json_t **reply,
		      struct fault *f);

/* Like ctlclient_request(), but sends @request, which may have other members besides the operation.
 * Releases @request. */
int ctlclient_ask(const char *interface, json_t *request, unsigned timeout_s, json_t **reply,
		  struct fault *f);

/* Returns true if the daemon of @interface that sent @reply has another version than this command.
 * @f then names both versions. */
bool ctlclient_version_differs(const char *interface, const json_t *reply, struct fault *f);

/* Lists the interfaces that have a control socket, sorted by name. Returns their number and sets
 * *@names, which the caller frees. Or returns -errno with @f filled in. */
int ctlclient_interfaces(char (**names)[IFNAME_MAX + 1], struct fault *f);

#endif
