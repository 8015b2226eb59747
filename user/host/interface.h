/* SPDX-License-Identifier: MIT */
/*
 * interface.h - addresses, MTU and routes of the tunnel interface. The kernel removes these
 * settings together with the interface. Functions that set something may be called repeatedly.
 */
#ifndef WGXDP_INTERFACE_H
#define WGXDP_INTERFACE_H

#include <stdatomic.h>

#include "host/plan.h"
#include "util/fault.h"

struct netlink;

struct interface {
	struct netlink *netlink;
	uint32_t ifindex;
	const char *path; /* path of the config file, for messages */
	/* Another thread sets *@stop when the daemon ends. Functions that add or delete many
	 * addresses or routes then stop early (-ECANCELED), because the kernel is about to remove
	 * these settings anyway. */
	const atomic_bool *stop;
};

/* Removes addresses that are only in @from and adds those of @to. Other addresses stay. Returns 0,
 * or -errno with @f filled in. */
int interface_set_addresses(const struct interface *i, const struct plan *from,
			    const struct plan *to, struct fault *f);
/* Sets the MTU and sets the interface up. Returns 0, or -errno with @f filled in. */
int interface_set_link(const struct interface *i, const struct plan *to, struct fault *f);
/* Adds the routes of @to that are missing. The interface must be up. Returns 0, or -errno with @f
 * filled in. */
int interface_add_routes(const struct interface *i, const struct plan *to, struct fault *f);
/* Deletes routes that are only in @from. */
void interface_drop_routes(const struct interface *i, const struct plan *from,
			   const struct plan *to);

/* Adds missing addresses and routes of @p, and adds their numbers to *@addresses and *@routes. Does
 * nothing while the interface is down. Returns 0, or -errno with @f filled in. */
int interface_restore(const struct interface *i, const struct plan *p, unsigned *addresses,
		      unsigned *routes, struct fault *f);

/* Reads the settings of @p back. Returns 0, or -EIO with @f filled in if a setting is missing or
 * was changed: by another program, or by the kernel, which removes IPv6 addresses if the MTU is
 * below 1280. */
int interface_verify(const struct interface *i, const struct plan *p, struct fault *f);

#endif
