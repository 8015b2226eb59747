/* SPDX-License-Identifier: MIT */
#include "cli/addresses.h"

#include <errno.h>
#include <stdlib.h>

#include "io/netlink.h"

int addresses_take(struct conf *conf, const char *interface)
{
	struct netlink *nl = netlink_open();
	struct netlink_link link;
	struct prefix *list;
	uint32_t count;
	int err = nl ? 0 : -errno;

	if (err)
		return err;
	err = netlink_link(nl, interface, 0, &link);
	if (err || !link.up) {
		if (err == -ENODEV)
			err = 0;
		goto out;
	}
	err = netlink_link_addresses(nl, link.ifindex, &list, &count);
	if (err)
		goto out;
	free(conf->addresses);
	conf->addresses = list;
	conf->address_count = count;
	if (conf->mtu)
		conf->mtu = link.mtu;
out:
	netlink_close(nl);
	return err;
}
