/* SPDX-License-Identifier: MIT */
/* apply.h - applies a config file to the device, through the functions of wg/device.h that handle
 * requests of wg(8), too. */
#ifndef WGXDP_APPLY_H
#define WGXDP_APPLY_H

#include "conf/conf_diff.h"
#include "sync/endpoint_names.h"
#include "util/fault.h"
#include "wg/device.h"

/* Sets the private key and adds the peers. Endpoints that are host names are registered with
 * @names. The caller sets the port and the fwmark. Returns 0, or -errno with @f filled in. */
int apply_conf(struct device *d, struct endpoint_names *names, const struct conf *conf,
	       uint64_t now_ns, struct fault *f);

/* Makes one of the changes that lead from @old to @new. Does nothing if the peer of the change was
 * removed meanwhile. Returns 0, or -errno with @f filled in; the message names the line of the
 * peer. */
int apply_change(struct device *d, struct endpoint_names *names, const struct conf *old,
		 const struct conf *new, const struct conf_change *change, uint64_t now_ns,
		 struct fault *f);

#endif
