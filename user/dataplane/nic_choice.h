/* SPDX-License-Identifier: MIT */
/*
 * nic_choice.h - chooses the NICs of an interface: those named on the command line, or else the
 * NICs of the routes to the endpoints, or else the NICs of the default routes.
 */
#ifndef WGXDP_NIC_CHOICE_H
#define WGXDP_NIC_CHOICE_H

#include "dataplane/nics.h"

struct conf;

struct nic_choice {
	struct nic *nics; /* room for OPTIONS_NICS_MAX */
	unsigned count;
};

/* Adds the NICs that @options names. If options->nics.late is true, a NIC need not exist yet; its
 * ifindex is then 0. Returns 0, or -errno with @f filled in: -ENODEV, -EINVAL (the tunnel). */
int nic_choice_named(struct nic_choice *choice, struct netlink *nl, const struct options *options,
		     struct fault *f);

/* Adds the NICs of the routes, which are looked up with @fwmark. @conf may be NULL. Loopback is
 * left out, because AF_XDP gains nothing on it. */
void nic_choice_routed(struct nic_choice *choice, struct netlink *nl, const struct conf *conf,
		       uint32_t fwmark);

#endif
