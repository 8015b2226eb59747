/* SPDX-License-Identifier: MIT */
#include "dataplane/nic_choice.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "conf/conf.h"
#include "io/netlink.h"

bool nic_choice_has(const struct nic_choice *choice, const char *name)
{
	for (unsigned i = 0; i < choice->count; i++)
		if (!strcmp(choice->nics[i].name, name))
			return true;
	return false;
}

static void add_nic(struct nic_choice *choice, const struct netlink_link *link)
{
	struct nic *nic = &choice->nics[choice->count];

	if (choice->count == OPTIONS_NICS_MAX || nic_choice_has(choice, link->name))
		return;
	*nic = (struct nic){ .ifindex = link->ifindex };
	memcpy(nic->name, link->name, sizeof(nic->name));
	choice->count++;
}

int nic_choice_named(struct nic_choice *choice, struct netlink *nl, const struct options *options,
		     struct fault *f)
{
	for (unsigned i = 0; i < options->nics.count; i++) {
		const char *name = options->nics.names[i];
		struct netlink_link link = { .ifindex = 0 };
		int err = netlink_link(nl, name, 0, &link);

		if (err == -ENODEV && options->nics.late) {
			snprintf(link.name, sizeof(link.name), "%s", name);
			err = 0;
		}
		if (err)
			return fault(f, err,
				     "%s: %s; `ip link` lists the interfaces; `attach --late-nic` "
				     "waits for an interface that appears later",
				     name,
				     err == -ENODEV ? "there is no such interface"
						    : strerror(-err));
		if (!strcmp(name, options->interface))
			return fault(f, -EINVAL, "%s: the tunnel cannot be its own NIC", name);
		add_nic(choice, &link);
	}
	return 0;
}

static void add_nic_of(struct nic_choice *choice, struct netlink *nl,
		       const struct netlink_route *route)
{
	struct netlink_link link;

	if (route->local || netlink_link(nl, NULL, route->ifindex, &link) || link.loopback)
		return;
	if (!choice->tunnel || strcmp(link.name, choice->tunnel) != 0)
		add_nic(choice, &link);
}

void nic_choice_towards(struct nic_choice *choice, struct netlink *nl,
			const struct endpoint *endpoint, uint32_t fwmark)
{
	const struct netlink_flow flow = { .fwmark = fwmark };
	struct netlink_route route;

	if (endpoint->remote.sa.sa_family != AF_UNSPEC &&
	    !netlink_route(nl, endpoint, &flow, &route))
		add_nic_of(choice, nl, &route);
}

void nic_choice_default(struct nic_choice *choice, struct netlink *nl, uint32_t fwmark)
{
	const struct netlink_flow flow = { .fwmark = fwmark };
	struct netlink_route route;

	if (!netlink_default_route(nl, AF_INET, &flow, &route))
		add_nic_of(choice, nl, &route);
	if (!netlink_default_route(nl, AF_INET6, &flow, &route))
		add_nic_of(choice, nl, &route);
}

void nic_choice_routed(struct nic_choice *choice, struct netlink *nl, const struct conf *conf,
		       uint32_t fwmark)
{
	for (uint32_t i = 0; conf && i < conf->peer_count; i++)
		nic_choice_towards(choice, nl, &conf->peers[i].endpoint, fwmark);
	if (!choice->count)
		nic_choice_default(choice, nl, fwmark);
}
