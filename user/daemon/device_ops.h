/* SPDX-License-Identifier: MIT */
/*
 * device_ops.h - implements struct device_ops, through which the protocol core uses the operating
 * system and other modules: time, randomness, sending, and notifications about peers. Only the
 * control thread calls these functions.
 */
#ifndef WGXDP_DEVICE_OPS_H
#define WGXDP_DEVICE_OPS_H

#include "dataplane/dataplane.h"
#include "path/suspend.h"
#include "sync/diag.h"
#include "sync/endpoint_names.h"
#include "sync/mapsync.h"
#include "sync/nexthops.h"
#include "wg/device.h"

/* The context of device_ops_all. All pointers are borrowed. */
struct device_ops_env {
	struct device *device;
	struct dataplane *dataplane;
	struct nexthops *nexthops;
	struct endpoint_names *names;
	struct mapsync *mapsync;
	struct diag *diag;
	struct qsbr *qsbr;
	const struct suspend *suspend;
};

extern const struct device_ops device_ops_all;

#endif
