/* SPDX-License-Identifier: MIT */
/*
 * sockets.h - the two sockets through which the daemon is configured and queried:
 *
 *   /var/run/wireguard/wg0.sock   wg(8)'s protocol (control/uapi.h)
 *   /run/wgxdp/wg0.sock           `wgxdp show`, `detach`, `set` (wgxdp/control.h)
 *
 * Control thread.
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
	struct reload *reload;	 /* NULL: there is no config file */
	struct confirm *confirm; /* likewise */
	struct uapi uapi;
	struct server *uapi_server;
	struct report report;
	struct ctlserver *control;
};

/* Both listen when it returns. @uapi_fd: an inherited listening socket, or -1. @report says what is
 * reported on; its callbacks are filled in here. 0/-errno with @f. */
int sockets_open(struct sockets *s, struct dataplane *dataplane, struct ending *ending,
		 const struct report *report, int uapi_fd, struct fault *f);

/* Reload number @run has ended, see reload.h: answers those who asked for it. */
void sockets_reloaded(struct sockets *s, unsigned run, const char *error);
/* It is decided whether the tunnel stays, see confirm.h. */
void sockets_decided(struct sockets *s, bool stays);

/* Close wg(8)'s socket before anything else is closed. Close the control socket last; this sends
 * the answer to each client that requested `detach`. Both functions are fine if sockets_open()
 * failed or never ran. */
void sockets_close_uapi(struct sockets *s);
void sockets_close_control(struct sockets *s);

#endif
