/* SPDX-License-Identifier: MIT */
/*
 * interface.h - addresses, MTU and routes of the tunnel interface. The kernel removes all of them
 * together with it. Functions that set something may be repeated: what is there already is fine.
 */
#ifndef WGXDP_INTERFACE_H
#define WGXDP_INTERFACE_H

#include "host/plan.h"
#include "util/fault.h"

struct netlink;

struct interface {
	struct netlink *netlink;
	uint32_t ifindex;
	const char *path; /* of the config file, for messages */
};

/* Makes the addresses those of @to, if they were those of @from. Others stay. 0/-errno with @f. */
int interface_set_addresses(const struct interface *i, const struct plan *from,
			    const struct plan *to, struct fault *f);
/* Sets the MTU and sets the interface up. 0/-errno with @f. */
int interface_set_link(const struct interface *i, const struct plan *to, struct fault *f);
/* As interface_set_addresses(). The interface is up. */
int interface_set_routes(const struct interface *i, const struct plan *from, const struct plan *to,
			 struct fault *f);

/* Adds those addresses and routes of @p that are missing, and counts them. Routes wait while the
 * interface is down. 0/-errno with @f. */
int interface_restore(const struct interface *i, const struct plan *p, unsigned *addresses,
		      unsigned *routes, struct fault *f);

/* Reads back what was set. Returns -EIO with @f if the kernel has dropped or changed anything of
 * @p, as it does with IPv6 addresses at an MTU below 1280. */
int interface_verify(const struct interface *i, const struct plan *p, struct fault *f);

#endif
