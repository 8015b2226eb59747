/* SPDX-License-Identifier: MIT */
#include "dataplane/nic_choice.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "conf/conf.h"
#include "io/netlink.h"

static void add_nic(struct nic_choice *choice, const struct netlink_link *link)
{
	struct nic *nic = &choice->nics[choice->count];

	if (choice->count == OPTIONS_NICS_MAX)
		return;
	for (unsigned i = 0; i < choice->count; i++)
		if (!strcmp(choice->nics[i].name, link->name))
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
				     "%s: %s; `ip link` lists the interfaces, and with --late-nic "
				     "one may appear later",
				     name,
				     err == -ENODEV ? "there is no such interface"
						    : strerror(-err));
		if (!strcmp(name, options->interface))
			return fault(f, -EINVAL, "%s: the tunnel cannot be its own NIC", name);
		add_nic(choice, &link);
	}
	return 0;
}

static void add_nic_towards(struct nic_choice *choice, struct netlink *nl,
			    const struct endpoint *endpoint, uint32_t fwmark)
{
	const struct netlink_flow flow = { .fwmark = fwmark };
	struct netlink_route route;
	struct netlink_link link;

	if (netlink_route(nl, endpoint, &flow, &route) || route.local)
		return;
	if (!netlink_link(nl, NULL, route.ifindex, &link) && !link.loopback)
		add_nic(choice, &link);
}

void nic_choice_routed(struct nic_choice *choice, struct netlink *nl, const struct conf *conf,
		       uint32_t fwmark)
{
	/* Addresses that only a default route can match (RFC 5737, RFC 3849). */
	struct endpoint unassigned4 = { .remote.v4 = { .sin_family = AF_INET,
						       .sin_addr.s_addr = htonl(0xc0000201) } };
	struct endpoint unassigned6 = { .remote.v6 = { .sin6_family = AF_INET6,
						       .sin6_addr.s6_addr = { 0x20, 0x01, 0x0d,
									      0xb8, [15] = 1 } } };

	for (uint32_t i = 0; conf && i < conf->peer_count; i++)
		if (conf->peers[i].endpoint.remote.sa.sa_family != AF_UNSPEC)
			add_nic_towards(choice, nl, &conf->peers[i].endpoint, fwmark);
	if (choice->count)
		return;
	add_nic_towards(choice, nl, &unassigned4, fwmark);
	add_nic_towards(choice, nl, &unassigned6, fwmark);
}
