/* SPDX-License-Identifier: MIT */
/*
 * nic_choice.h - which NICs an interface uses: those named on the command line, else the NICs of
 * the routes to the endpoints, else the NICs of the default routes.
 */
#ifndef WGXDP_NIC_CHOICE_H
#define WGXDP_NIC_CHOICE_H

#include "dataplane/nics.h"

struct conf;

struct nic_choice {
	struct nic *nics; /* room for OPTIONS_NICS_MAX */
	unsigned count;
};

/* Adds the NICs that @options names. One that does not exist yet, if options->nics.late allows it,
 * has ifindex 0. Returns 0 or -errno with @f: -ENODEV, -EINVAL (the tunnel). */
int nic_choice_named(struct nic_choice *choice, struct netlink *nl, const struct options *options,
		     struct fault *f);

/* Adds the NICs that routes under @fwmark lead to. @conf may be NULL. Loopback is left out, because
 * AF_XDP gains nothing there. */
void nic_choice_routed(struct nic_choice *choice, struct netlink *nl, const struct conf *conf,
		       uint32_t fwmark);

#endif
