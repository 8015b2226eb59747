/* SPDX-License-Identifier: MIT */
#include "cli/setup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "io/netlink.h"

/* Of a data message in IPv6, rounded up to the padding: [wg-quick] takes the same 80 bytes. */
#define OVERHEAD 80
#define PATH_MTU_DEFAULT 1500
#define MTU_MIN 1280 /* RFC 8200 5 */
/* What fits a UDP datagram after the overhead. */
#define MTU_MAX (65535 - OVERHEAD)

static uint32_t route_mtu(struct netlink *nl, const struct endpoint *e, uint32_t fwmark)
{
	struct netlink_route route;

	if (e->remote.sa.sa_family == AF_UNSPEC || netlink_route(nl, e, fwmark, &route))
		return 0;
	return route.mtu;
}

uint32_t setup_mtu(uint32_t path_mtu)
{
	if (!path_mtu)
		path_mtu = PATH_MTU_DEFAULT;
	if (path_mtu < MTU_MIN + OVERHEAD)
		return MTU_MIN;
	return path_mtu < MTU_MAX + OVERHEAD ? path_mtu - OVERHEAD : MTU_MAX;
}

/* Of the smallest of the paths to the endpoints, or else of the default route. */
static uint32_t derived_mtu(struct netlink *nl, const struct conf *conf)
{
	struct endpoint nobody = { .remote.v4 = { .sin_family = AF_INET,
						  .sin_addr.s_addr = htonl(0xc0000201) } };
	uint32_t mtu = 0;

	for (uint32_t i = 0; i < conf->peer_count; i++) {
		uint32_t one = route_mtu(nl, &conf->peers[i].endpoint, conf->fwmark);

		if (one && (!mtu || one < mtu))
			mtu = one;
	}
	if (!mtu)
		mtu = route_mtu(nl, &nobody, conf->fwmark);
	return setup_mtu(mtu);
}

int setup_link(uint32_t ifindex, const struct conf *conf, struct fault *f)
{
	struct netlink *nl = netlink_open();
	uint32_t mtu;
	int err = 0;

	if (!nl)
		return fault(f, -errno, "cannot open a netlink socket: %s", strerror(errno));
	for (uint32_t i = 0; i < conf->address_count; i++) {
		char text[PREFIX_TEXT_LEN];

		err = netlink_add_address(nl, ifindex, &conf->addresses[i]);
		if (!err)
			continue;
		fault(f, err, "%s: Address = %s: %s", conf->path,
		      prefix_text(&conf->addresses[i], text),
		      err == -EEXIST ? "given twice" : strerror(-err));
		goto out;
	}
	mtu = conf->mtu ? conf->mtu : derived_mtu(nl, conf);
	err = netlink_set_mtu(nl, ifindex, mtu);
	if (err) {
		fault(f, err, "%s: MTU = %u: %s", conf->path, mtu, strerror(-err));
		goto out;
	}
	err = netlink_set_up(nl, ifindex, true);
	if (err)
		fault(f, err, "cannot set the interface up: %s", strerror(-err));
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

/* The kernel made a route for the net of each address already. */
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
		return fault(f, err, "%s: route to %s: %s; `Table = off` leaves routes to you",
			     conf->path, prefix_text(p, text),
			     err == -EEXIST ? "there is one already" : strerror(-err));
	}
	return 0;
}

int setup_routes(uint32_t ifindex, const struct conf *conf, conf_warn_fn warn, struct fault *f)
{
	struct netlink *nl = netlink_open();
	int err = 0;

	if (!nl)
		return fault(f, -errno, "cannot open a netlink socket: %s", strerror(errno));
	for (uint32_t i = 0; i < conf->peer_count && !err; i++) {
		const struct conf_peer *peer = &conf->peers[i];
		struct netlink_route route;
		char text[ENDPOINT_TEXT_LEN], sentence[ENDPOINT_TEXT_LEN + 64];

		if (peer->own)
			continue;
		if (conf->table == CONF_TABLE_AUTO)
			err = add_routes(nl, ifindex, conf, peer, f);
		if (peer->endpoint.remote.sa.sa_family == AF_UNSPEC ||
		    !netlink_route(nl, &peer->endpoint, conf->fwmark, &route))
			continue;
		snprintf(sentence, sizeof(sentence), "no route to endpoint %s yet",
			 endpoint_text(&peer->endpoint, text));
		warn(NULL, sentence);
	}
	netlink_close(nl);
	return err;
}
