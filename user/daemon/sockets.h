/* SPDX-License-Identifier: MIT */
/*
 * sockets.h - the two sockets through which the daemon is configured and queried:
 *
 *   /var/run/wireguard/wg0.sock   wg(8)'s protocol (control/uapi.h)
 *   /run/wgxdp/wg0.sock           `wgxdp show`, `detach` and other commands (wgxdp/control.h)
 *
 * Only the control thread calls these functions.
 */
#ifndef WGXDP_SOCKETS_H
#define WGXDP_SOCKETS_H

#include "control/report.h"
#include "control/uapi.h"
#include "daemon/confirm.h"
#include "daemon/ending.h"
#include "daemon/reload.h"

struct sockets {
	struct dataplane *dataplane;
	struct ending *ending;
	struct reload *reload;	 /* NULL = there is no config file */
	struct confirm *confirm; /* NULL = there is no config file */
	struct uapi uapi;
	struct server *uapi_server;
	struct report report;
	struct ctlserver *control;
};

/* Opens both sockets, which then listen. @uapi_fd is an inherited listening socket, or -1. Copies
 * @report, in which the caller has set the modules, and adds the callbacks to the copy. Returns 0,
 * or -errno with @f filled in. */
int sockets_open(struct sockets *s, struct dataplane *dataplane, struct ending *ending,
		 const struct report *report, int uapi_fd, struct fault *f);

/* Sends the result of reload number @run (reload.h) to the clients that requested the reload. */
void sockets_reloaded(struct sockets *s, unsigned run, const char *error);
/* Tells waiting clients that the tunnel was confirmed (@stays is true), or that the time limit for
 * the confirmation has expired (confirm.h). */
void sockets_decided(struct sockets *s, bool stays);

/* When the daemon ends, it calls these functions in this order. It calls sockets_stop() before it
 * closes anything, and no request is handled from then on. It closes wg(8)'s socket before the
 * device. sockets_close_control() comes last, and answers each client that requested `detach`. All
 * three functions may be called even if sockets_open() failed or was never called. */
void sockets_stop(struct sockets *s);
void sockets_close_uapi(struct sockets *s);
void sockets_close_control(struct sockets *s);

#endif
