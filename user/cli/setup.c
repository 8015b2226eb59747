/* SPDX-License-Identifier: MIT */
#include "cli/setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/netlink.h"

/* IPv6, UDP, header and tag of a data message: 40 + 8 + 16 + 16. wg-quick(8) subtracts the same. */
#define OVERHEAD 80
#define PATH_MTU_DEFAULT 1500
#define MTU_MIN 1280		   /* RFC 8200 5 */
#define MTU_MAX (65535 - OVERHEAD) /* a UDP datagram holds no more */

uint32_t setup_mtu(uint32_t path_mtu)
{
	if (!path_mtu)
		path_mtu = PATH_MTU_DEFAULT;
	if (path_mtu < MTU_MIN + OVERHEAD)
		return MTU_MIN;
	return path_mtu < MTU_MAX + OVERHEAD ? path_mtu - OVERHEAD : MTU_MAX;
}

static int open_netlink(struct netlink **nl, struct fault *f)
{
	*nl = netlink_open();
	return *nl ? 0 : fault(f, -errno, "cannot open a netlink socket: %s", strerror(errno));
}

static struct netlink_flow flow_of(const struct conf *conf)
{
	return (struct netlink_flow){ conf->fwmark, htons(conf->listen_port) };
}

/* Of the path to @e; 0 if there is no route, or none that leaves this host. */
static uint32_t route_mtu(struct netlink *nl, const struct endpoint *e, const struct conf *conf)
{
	const struct netlink_flow flow = flow_of(conf);
	struct netlink_route route;
	struct netlink_link link;

	if (e->remote.sa.sa_family == AF_UNSPEC || netlink_route(nl, e, &flow, &route) ||
	    route.local || netlink_link(nl, NULL, route.ifindex, &link) || link.loopback)
		return 0;
	return route.mtu;
}

/* Takes the smallest path to an endpoint, else that to an address which stands for any other. */
int setup_choose_mtu(struct conf *conf, struct fault *f)
{
	const struct endpoint anybody = { .remote.v4 = { .sin_family = AF_INET,
							 .sin_addr.s_addr = htonl(0xc0000201) } };
	struct netlink *nl;
	uint32_t mtu = 0;
	int err;

	if (conf->mtu)
		return 0;
	err = open_netlink(&nl, f);
	if (err)
		return err;
	for (uint32_t i = 0; i < conf->peer_count; i++) {
		uint32_t one = route_mtu(nl, &conf->peers[i].endpoint, conf);

		if (one && (!mtu || one < mtu))
			mtu = one;
	}
	if (!mtu)
		mtu = route_mtu(nl, &anybody, conf);
	conf->mtu = setup_mtu(mtu);
	netlink_close(nl);
	return 0;
}

int setup_link(uint32_t ifindex, const struct conf *conf, struct fault *f)
{
	struct netlink *nl;
	int err = open_netlink(&nl, f);

	if (err)
		return err;
	for (uint32_t i = 0; i < conf->address_count; i++) {
		char text[PREFIX_TEXT_LEN];

		err = netlink_add_address(nl, ifindex, &conf->addresses[i]);
		if (!err)
			continue;
		fault(f, err, "%s: Address = %s: %s", conf->path,
		      prefix_text(&conf->addresses[i], text), netlink_error(nl, err));
		goto out;
	}
	err = netlink_set_mtu(nl, ifindex, conf->mtu);
	if (err) {
		fault(f, err, "%s: MTU = %u: %s", conf->path, conf->mtu, netlink_error(nl, err));
		goto out;
	}
	err = netlink_set_up(nl, ifindex, true);
	if (err)
		fault(f, err, "cannot set the interface up: %s", netlink_error(nl, err));
out:
	netlink_close(nl);
	return err;
}

static bool covers(const struct prefix *net, const struct prefix *p)
{
	unsigned whole = net->length / 8, rest = net->length % 8;

	if (net->family != p->family || net->length > p->length ||
	    memcmp(net->addr, p->addr, whole) != 0)
		return false;
	return !rest || (net->addr[whole] ^ p->addr[whole]) >> (8 - rest) == 0;
}

/* Is @source, of the family of @e, an address of the tunnel? */
static bool is_own_address(const struct conf *conf, const struct endpoint *e,
			   const uint8_t source[static 16])
{
	unsigned len = e->remote.sa.sa_family == AF_INET ? 4 : 16;

	for (uint32_t i = 0; i < conf->address_count; i++)
		if (conf->addresses[i].family == e->remote.sa.sa_family &&
		    !memcmp(conf->addresses[i].addr, source, len))
			return true;
	return false;
}

/* For the network of each address the kernel itself has made a route. */
static bool is_connected(const struct conf *conf, const struct prefix *p)
{
	for (uint32_t i = 0; i < conf->address_count; i++)
		if (covers(&conf->addresses[i], p))
			return true;
	return false;
}

static int add_routes(struct netlink *nl, uint32_t ifindex, const struct conf *conf,
		      const struct conf_peer *peer, struct fault *f)
{
	for (uint32_t i = 0; i < peer->allowed_count; i++) {
		const struct prefix *p = &peer->allowed[i];
		char text[PREFIX_TEXT_LEN];
		int err;

		if (is_connected(conf, p))
			continue;
		err = netlink_add_route(nl, ifindex, p);
		if (!err)
			continue;
		return fault(f, err, "%s: route to %s: %s; with `Table = off` none are added",
			     conf->path, prefix_text(p, text),
			     err == -EEXIST ? "there is one already" : netlink_error(nl, err));
	}
	return 0;
}

/* Tells @warn of an endpoint that is not reached as the config means it. The routes of all peers
 * are in place. */
static void check_endpoint(struct netlink *nl, uint32_t ifindex, const struct conf *conf,
			   const struct endpoint *e, conf_warn_fn warn)
{
	char text[ENDPOINT_TEXT_LEN], sentence[ENDPOINT_TEXT_LEN + 256] = "";
	const struct netlink_flow flow = flow_of(conf);
	struct netlink_route route;

	endpoint_text(e, text);
	if (netlink_route(nl, e, &flow, &route))
		snprintf(sentence, sizeof(sentence), "no route to endpoint %s yet", text);
	else if (route.ifindex == ifindex && !route.local)
		snprintf(
			sentence, sizeof(sentence),
			"the route to endpoint %s leads into the tunnel itself, because AllowedIPs "
			"cover it; nothing will reach the peer. Add a route to it by the NIC, or "
			"use "
			"wg-quick, which sets up FwMark and rules",
			text);
	else if (route.has_source && is_own_address(conf, e, route.source))
		snprintf(sentence, sizeof(sentence),
			 "packets to endpoint %s would carry the tunnel's own address as their "
			 "source, "
			 "so answers may not come back; give the NIC an address, or its route a "
			 "`src`",
			 text);
	if (*sentence)
		warn(NULL, sentence);
}

int setup_routes(uint32_t ifindex, const struct conf *conf, conf_warn_fn warn, struct fault *f)
{
	struct netlink *nl;
	int err = open_netlink(&nl, f);

	if (err)
		return err;
	for (uint32_t i = 0; i < conf->peer_count && !err; i++)
		if (!conf->peers[i].own && conf->table == CONF_TABLE_AUTO)
			err = add_routes(nl, ifindex, conf, &conf->peers[i], f);
	for (uint32_t i = 0; i < conf->peer_count && !err; i++)
		if (!conf->peers[i].own && conf->peers[i].endpoint.remote.sa.sa_family != AF_UNSPEC)
			check_endpoint(nl, ifindex, conf, &conf->peers[i].endpoint, warn);
	netlink_close(nl);
	return err;
}

/* Reading back -------------------------------------------------------------------------------- */

static int verify_link(struct netlink *nl, uint32_t ifindex, const struct conf *conf,
		       struct fault *f)
{
	const struct prefix *missing;
	char text[PREFIX_TEXT_LEN];
	struct netlink_link link;
	int err = netlink_link(nl, NULL, ifindex, &link);

	if (err)
		return fault(f, err, "the interface is gone: %s", strerror(-err));
	if (link.mtu != conf->mtu)
		return fault(f, -EIO, "%s: MTU = %u: the interface has %u now", conf->path,
			     conf->mtu, link.mtu);
	if (!link.up)
		return fault(f, -EIO, "%s: something set the interface down again", link.name);
	err = netlink_missing_address(nl, ifindex, conf->addresses, conf->address_count, &missing);
	if (err)
		return fault(f, err, "cannot list addresses: %s", netlink_error(nl, err));
	if (missing)
		return fault(f, -EIO, "%s: Address = %s: the kernel has not kept it", conf->path,
			     prefix_text(missing, text));
	return 0;
}

static int compare_routes(const void *a, const void *b)
{
	return memcmp(&((const struct netlink_device_route *)a)->to,
		      &((const struct netlink_device_route *)b)->to, sizeof(struct prefix));
}

static int verify_routes(struct netlink *nl, uint32_t ifindex, const struct conf *conf,
			 struct fault *f)
{
	struct netlink_device_route *routes;
	size_t count;
	int err = netlink_device_routes(nl, ifindex, &routes, &count);

	if (err)
		return fault(f, err, "cannot list routes: %s", netlink_error(nl, err));
	qsort(routes, count, sizeof(*routes), compare_routes);
	for (uint32_t i = 0; i < conf->peer_count && !err; i++) {
		const struct conf_peer *peer = &conf->peers[i];

		for (uint32_t j = 0; j < peer->allowed_count && !peer->own && !err; j++) {
			const struct netlink_device_route want = { .to = peer->allowed[j] };
			char text[PREFIX_TEXT_LEN];

			if (is_connected(conf, &want.to) ||
			    bsearch(&want, routes, count, sizeof(*routes), compare_routes))
				continue;
			err = fault(f, -EIO, "%s: route to %s: the kernel has not kept it",
				    conf->path, prefix_text(&want.to, text));
		}
	}
	free(routes);
	return err;
}

int setup_verify(uint32_t ifindex, const struct conf *conf, struct fault *f)
{
	struct netlink *nl;
	int err = open_netlink(&nl, f);

	if (err)
		return err;
	err = verify_link(nl, ifindex, conf, f);
	if (!err && conf->table == CONF_TABLE_AUTO)
		err = verify_routes(nl, ifindex, conf, f);
	netlink_close(nl);
	return err;
}
