/* SPDX-License-Identifier: MIT */
/*
 * report.h - makes the replies of the control socket (wgxdp/control.h) for `wgxdp show` and `wgxdp
 * logs`, and turns debugging on and off. Runs in the control thread.
 */
#ifndef WGXDP_REPORT_H
#define WGXDP_REPORT_H

#include "control/ctlserver.h"
#include "dataplane/dataplane.h"
#include "sync/diag.h"
#include "sync/endpoint_names.h"
#include "sync/tunnel.h"

/* The state of the config file. */
struct report_config {
	const char *path;	 /* absolute path */
	uint64_t applied_unix_s; /* time at which the file was applied last */
	const char *error;	 /* error of the last reload; NULL = no error */
	uint64_t error_unix_s;
	uint32_t confirm_left_s; /* seconds left for `wgxdp confirm`; 0 = nothing is pending */
};

/* The modules that the report describes. All pointers are borrowed. */
struct report {
	const struct device *device;
	const struct dataplane *dataplane;
	const struct tunnel *tunnel;
	struct diag *diag;
	struct endpoint_names *names;
	/* Handles `wgxdp detach`, see ctlserver.h. */
	const char *(*detach)(void *ctx);
	/* Handles `wgxdp reload`, see ctlserver.h. */
	unsigned (*reload)(void *ctx, bool exact, bool adopt, struct fault *f);
	/* Handles the request `settle`, which waits until the config file is applied, see
	 * ctlserver.h. */
	unsigned (*settle)(void *ctx, const char **error);
	/* Handles `wgxdp confirm`, see ctlserver.h. */
	const char *(*confirm)(void *ctx, bool wait);
	/* Fills in *@config. Returns false if there is no config file. */
	bool (*config)(void *ctx, struct report_config *config);
	void *ctx;
};

/* The operations for ctlserver_new(). Their context is a struct report. */
extern const struct ctlserver_ops report_ops;

#endif
