/* SPDX-License-Identifier: MIT */
/*
 * report.h - the answers on the control socket (wgxdp/control.h): what `wgxdp show` and `logs`
 * print, and debugging on and off. Control thread.
 */
#ifndef WGXDP_REPORT_H
#define WGXDP_REPORT_H

#include "control/ctlserver.h"
#include "dataplane/dataplane.h"
#include "sync/diag.h"
#include "sync/endpoint_names.h"
#include "sync/tunnel.h"

/* What has become of the config file. */
struct report_config {
	const char *path;	 /* absolute */
	uint64_t applied_unix_s; /* when it was applied last */
	const char *error;	 /* why the last reload failed; NULL: it did not */
	uint64_t error_unix_s;
	uint32_t confirm_left_s; /* for `wgxdp confirm`; 0: nothing waits for it */
};

/* The modules whose state is reported; all borrowed. */
struct report {
	const struct device *device;
	const struct dataplane *dataplane;
	const struct tunnel *tunnel;
	struct diag *diag;
	struct endpoint_names *names;
	/* `wgxdp detach`, see ctlserver.h. */
	const char *(*detach)(void *ctx);
	/* `wgxdp reload`, see ctlserver.h. */
	unsigned (*reload)(void *ctx, bool exact, bool adopt, struct fault *f);
	/* `wgxdp confirm`, see ctlserver.h. */
	const char *(*confirm)(void *ctx, bool wait);
	/* Fills in *@config; false if there is no config file. */
	bool (*config)(void *ctx, struct report_config *config);
	void *ctx;
};

/* For ctlserver_new(); its context is a struct report. */
extern const struct ctlserver_ops report_ops;

#endif
