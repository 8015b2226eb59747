/* SPDX-License-Identifier: MIT */
/*
 * nic_choice.h - chooses the NICs of a tunnel: those named on the command line, or else the
 * NICs of the routes to the endpoints, or else the NICs of the default routes.
 */
#ifndef WGXDP_NIC_CHOICE_H
#define WGXDP_NIC_CHOICE_H

#include "dataplane/nics.h"

struct conf;
struct endpoint;

struct nic_choice {
	struct nic *nics; /* room for OPTIONS_NICS_MAX */
	unsigned count;
	const char *tunnel; /* name of the tunnel, which is never chosen; NULL = none exists yet */
};

/* Adds the NICs that @options names. If options->nics.late is true, a NIC need not exist yet; the
 * ifindex of a missing NIC is 0. Returns 0, or -errno with @f filled in: -ENODEV (there is no
 * such NIC), -EINVAL (a name is that of the tunnel itself). */
int nic_choice_named(struct nic_choice *choice, struct netlink *nl, const struct options *options,
		     struct fault *f);

/* Adds the NIC through which packets with @fwmark are routed to @endpoint. Leaves out the tunnel
 * itself, and loopback, on which AF_XDP gains nothing. */
void nic_choice_towards(struct nic_choice *choice, struct netlink *nl,
			const struct endpoint *endpoint, uint32_t fwmark);

/* Adds the NICs of the default routes of packets with @fwmark, except loopback and the tunnel. */
void nic_choice_default(struct nic_choice *choice, struct netlink *nl, uint32_t fwmark);

/* Adds the NICs of the routes to the endpoints of @conf (may be NULL). If @choice is then still
 * empty, adds the NICs of the default routes. */
void nic_choice_routed(struct nic_choice *choice, struct netlink *nl, const struct conf *conf,
		       uint32_t fwmark);

/* Returns true if a NIC of this name was chosen. */
bool nic_choice_has(const struct nic_choice *choice, const char *name);

#endif
