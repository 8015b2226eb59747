/* SPDX-License-Identifier: MIT */
#include "host/interface.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/netlink.h"

static bool stopped(const struct interface *i)
{
	return atomic_load_explicit(i->stop, memory_order_relaxed);
}

/* Addresses ------------------------------------------------------------------------------------ */

static int add_address(const struct interface *i, const struct prefix *address, struct fault *f)
{
	char text[PREFIX_TEXT_LEN];
	int err = stopped(i) ? -ECANCELED : netlink_add_address(i->netlink, i->ifindex, address);

	if (!err || err == -EEXIST) /* interface_verify() checks the prefix length later */
		return 0;
	return fault(f, err, "%s: Address = %s: %s", i->path, prefix_text(address, text),
		     netlink_error(i->netlink, err));
}

/* Adds missing addresses. Addresses of @p can be missing after a deletion, because the kernel
 * deletes the secondary IPv4 addresses of a network together with the primary one. */
static int add_missing(const struct interface *i, const struct plan *p, unsigned *added,
		       struct fault *f)
{
	const struct prefix *missing = NULL, *before;
	int err;

	do {
		before = missing;
		err = netlink_missing_address(i->netlink, i->ifindex, p->addresses,
					      p->address_count, &missing);
		if (err)
			return fault(f, err, "cannot list addresses: %s",
				     netlink_error(i->netlink, err));
		if (!missing || missing == before)
			return 0;
		err = add_address(i, missing, f);
		if (!err && added)
			++*added;
	} while (!err);
	return err;
}

int interface_set_addresses(const struct interface *i, const struct plan *from,
			    const struct plan *to, struct fault *f)
{
	bool deleted = false;
	int err = 0;

	for (size_t k = 0; k < to->address_count && !err; k++)
		err = add_address(i, &to->addresses[k], f);
	if (err)
		return err;
	for (size_t k = 0; k < from->address_count; k++) {
		if (plan_has_address(to, &from->addresses[k]))
			continue;
		netlink_delete_address(i->netlink, i->ifindex, &from->addresses[k]);
		deleted = true;
	}
	return deleted ? add_missing(i, to, NULL, f) : 0;
}

int interface_set_link(const struct interface *i, const struct plan *to, struct fault *f)
{
	int err = netlink_set_mtu(i->netlink, i->ifindex, to->mtu);

	if (err)
		return fault(f, err, "%s: MTU = %u: %s", i->path, to->mtu,
			     netlink_error(i->netlink, err));
	err = netlink_set_up(i->netlink, i->ifindex, true);
	return err ? fault(f, err, "cannot set the interface up: %s",
			   netlink_error(i->netlink, err))
		   : 0;
}

/* Routes --------------------------------------------------------------------------------------- */

static int add_route(const struct interface *i, const struct plan_route *route, struct fault *f)
{
	char text[PREFIX_TEXT_LEN];
	int err = stopped(i) ? -ECANCELED
			     : netlink_add_route(i->netlink, i->ifindex, &route->to, route->table);

	return err ? fault(f, err, "%s: route to %s: %s; with `Table = off` no routes are added",
			   i->path, prefix_text(&route->to, text),
			   err == -EEXIST ? "there is one already" : netlink_error(i->netlink, err))
		   : 0;
}

/* Lists the routes of the interface in the form of a plan. The caller calls plan_done(). */
static int list_routes(const struct interface *i, struct plan *have, struct fault *f)
{
	struct netlink_device_route *list;
	size_t count;
	int err = netlink_device_routes(i->netlink, i->ifindex, &list, &count);

	*have = (struct plan){ .mtu = 0 };
	if (err)
		return fault(f, err, "cannot list the routes of the interface: %s",
			     netlink_error(i->netlink, err));
	have->routes = calloc(count ? count : 1, sizeof(*have->routes));
	for (size_t k = 0; k < count && have->routes; k++)
		have->routes[have->route_count++] =
			(struct plan_route){ list[k].to, list[k].table };
	free(list);
	if (!have->routes)
		return fault(f, -ENOMEM, "out of memory");
	qsort(have->routes, have->route_count, sizeof(*have->routes), plan_compare_routes);
	return 0;
}

int interface_add_routes(const struct interface *i, const struct plan *to, struct fault *f)
{
	struct plan have;
	int err = list_routes(i, &have, f);

	for (size_t k = 0; k < to->route_count && !err; k++)
		if (!plan_has_route(&have, &to->routes[k]))
			err = add_route(i, &to->routes[k], f);
	plan_done(&have);
	return err;
}

void interface_drop_routes(const struct interface *i, const struct plan *from,
			   const struct plan *to)
{
	for (size_t k = 0; k < from->route_count && !stopped(i); k++)
		if (!plan_has_route(to, &from->routes[k]))
			netlink_delete_route(i->netlink, i->ifindex, &from->routes[k].to,
					     from->routes[k].table);
}

/* Restoring and verifying ---------------------------------------------------------------------- */

int interface_restore(const struct interface *i, const struct plan *p, unsigned *addresses,
		      unsigned *routes, struct fault *f)
{
	struct netlink_link link;
	struct plan have;
	int err = netlink_link(i->netlink, NULL, i->ifindex, &link);

	if (err)
		return fault(f, err, "the interface is gone");
	if (!link.up)
		return 0;
	err = add_missing(i, p, addresses, f);
	if (err || !p->route_count)
		return err;
	err = list_routes(i, &have, f);
	for (size_t k = 0; k < p->route_count && !err; k++) {
		if (plan_has_route(&have, &p->routes[k]))
			continue;
		err = add_route(i, &p->routes[k], f);
		*routes += !err;
	}
	plan_done(&have);
	return err;
}

static int verify_routes(const struct interface *i, const struct plan *p, struct fault *f)
{
	struct plan have;
	int err = list_routes(i, &have, f);
	char text[PREFIX_TEXT_LEN];

	for (size_t k = 0; k < p->route_count && !err; k++)
		if (!plan_has_route(&have, &p->routes[k]))
			err = fault(f, -EIO,
				    "%s: route to %s: it was added but is missing now; another "
				    "program may have removed it",
				    i->path, prefix_text(&p->routes[k].to, text));
	plan_done(&have);
	return err;
}

int interface_verify(const struct interface *i, const struct plan *p, struct fault *f)
{
	const struct prefix *missing;
	char text[PREFIX_TEXT_LEN];
	struct netlink_link link;
	int err = netlink_link(i->netlink, NULL, i->ifindex, &link);

	if (err)
		return fault(f, err, "the interface is gone: %s", strerror(-err));
	if (link.mtu != p->mtu)
		return fault(f, -EIO,
			     "%s: MTU = %u: it was set, but the interface has MTU %u now; another "
			     "program may have changed it",
			     i->path, p->mtu, link.mtu);
	if (!link.up)
		return fault(f, -EIO, "%s: another program has set the interface down", link.name);
	err = netlink_missing_address(i->netlink, i->ifindex, p->addresses, p->address_count,
				      &missing);
	if (err)
		return fault(f, err, "cannot list addresses: %s", netlink_error(i->netlink, err));
	if (missing)
		return fault(f, -EIO,
			     "%s: Address = %s: it was added but is missing now; another program "
			     "may have removed it",
			     i->path, prefix_text(missing, text));
	return p->route_count ? verify_routes(i, p, f) : 0;
}
