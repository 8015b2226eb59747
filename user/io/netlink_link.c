/* SPDX-License-Identifier: MIT */
/*
 * netlink_link.c - queries links, their queues and their qdiscs. The request socket and
 * addresses are in netlink.c.
 */
#include "io/netlink.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/ipv6.h>
#include <linux/pkt_sched.h>

#include "io/ethtool.h"
#include "io/netlink_private.h"

#define HOP_LIMIT_DEFAULT 64

static void parse_xdp(const struct nlattr *xdp, struct netlink_link *l)
{
	/* If one program is attached, the kernel sends its ID as PROG_ID. If several are attached
	 * (MULTI), the kernel sends one ID for each mode. */
	static const uint16_t ids[] = { IFLA_XDP_PROG_ID, IFLA_XDP_DRV_PROG_ID,
					IFLA_XDP_SKB_PROG_ID, IFLA_XDP_HW_PROG_ID };
	const struct nlattr *a = netlink_nested(xdp, IFLA_XDP_ATTACHED, 1);

	if (a)
		l->xdp_mode = mnl_attr_get_u8(a);
	for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]) && !l->xdp_prog_id; i++) {
		a = netlink_nested(xdp, ids[i], 4);
		if (a)
			l->xdp_prog_id = mnl_attr_get_u32(a);
	}
}

/* Reads net.ipv6.conf.NAME.hop_limit, which a router advertisement may have set. */
static uint8_t parse_hop_limit6(const struct nlmsghdr *nlh)
{
	const struct nlattr *a = netlink_attr(nlh, sizeof(struct ifinfomsg), IFLA_AF_SPEC, 0);
	int32_t conf[DEVCONF_HOPLIMIT + 1];

	if (a)
		a = netlink_nested(a, AF_INET6, 0);
	if (a)
		a = netlink_nested(a, IFLA_INET6_CONF, sizeof(conf));
	if (!a)
		return HOP_LIMIT_DEFAULT;
	memcpy(conf, mnl_attr_get_payload(a), sizeof(conf));
	return (uint8_t)conf[DEVCONF_HOPLIMIT];
}

/* Reads the kind and the master of a link. A VRF does not count as a master, because packets reach
 * IP at the port and not at the VRF. */
static void parse_kind(const struct nlmsghdr *nlh, struct netlink_link *l)
{
	const struct nlattr *info = netlink_attr(nlh, sizeof(struct ifinfomsg), IFLA_LINKINFO, 0);
	const struct nlattr *master = netlink_attr(nlh, sizeof(struct ifinfomsg), IFLA_MASTER, 4);
	const struct nlattr *kind = info ? netlink_nested(info, IFLA_INFO_KIND, 1) : NULL;
	const struct nlattr *port = info ? netlink_nested(info, IFLA_INFO_SLAVE_KIND, 1) : NULL;
	char port_kind[sizeof(l->kind)] = "";

	if (kind)
		netlink_copy_text(l->kind, sizeof(l->kind), kind);
	if (port)
		netlink_copy_text(port_kind, sizeof(port_kind), port);
	if (master && strcmp(port_kind, "vrf") != 0)
		l->master = mnl_attr_get_u32(master);
}

bool netlink_parse_link(const struct nlmsghdr *nlh, struct netlink_link *out)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *name, *a;
	struct netlink_link l = { 0 };

	/* Messages of AF_BRIDGE are about the port of a bridge: RTM_DELLINK means that the port
	 * left the bridge, not that the link is gone. */
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi) || ifi->ifi_family != AF_UNSPEC)
		return false;
	name = netlink_attr(nlh, sizeof(*ifi), IFLA_IFNAME, 1);
	if (!name)
		return false;

	l.ifindex = (uint32_t)ifi->ifi_index;
	l.up = ifi->ifi_flags & IFF_UP;
	/* IFF_RUNNING follows the carrier (IFF_LOWER_UP) with a delay, so both must be set. */
	l.running = (ifi->ifi_flags & IFF_RUNNING) && (ifi->ifi_flags & IFF_LOWER_UP);
	l.loopback = ifi->ifi_flags & IFF_LOOPBACK;
	l.no_arp = ifi->ifi_flags & (IFF_NOARP | IFF_POINTOPOINT);
	netlink_copy_text(l.name, sizeof(l.name), name);

	a = netlink_attr(nlh, sizeof(*ifi), IFLA_ADDRESS, sizeof(l.mac));
	if (a && ifi->ifi_type == ARPHRD_ETHER) {
		l.has_mac = true;
		memcpy(l.mac, mnl_attr_get_payload(a), sizeof(l.mac));
	}
	a = netlink_attr(nlh, sizeof(*ifi), IFLA_MTU, 4);
	if (a)
		l.mtu = mnl_attr_get_u32(a);
	a = netlink_attr(nlh, sizeof(*ifi), IFLA_CARRIER_DOWN_COUNT, 4);
	if (a)
		l.carrier_downs = mnl_attr_get_u32(a);
	a = netlink_attr(nlh, sizeof(*ifi), IFLA_NUM_RX_QUEUES, 4);
	if (a)
		l.rx_queues = mnl_attr_get_u32(a);
	a = netlink_attr(nlh, sizeof(*ifi), IFLA_XDP, 0);
	if (a)
		parse_xdp(a, &l);
	parse_kind(nlh, &l);
	l.hop_limit6 = parse_hop_limit6(nlh);
	*out = l;
	return true;
}

static int take_link(const struct nlmsghdr *nlh, void *ctx)
{
	if (nlh->nlmsg_type != RTM_NEWLINK)
		return 0;
	return netlink_parse_link(nlh, ctx) ? 0 : -EBADMSG;
}

int netlink_link(struct netlink *nl, const char *name, uint32_t ifindex, struct netlink_link *out)
{
	struct nlmsghdr *nlh = netlink_begin(nl, RTM_GETLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	struct netlink_link found = { 0 };
	int err;

	if (name && (!*name || strlen(name) >= IFNAMSIZ))
		return -ENODEV;
	if (name)
		mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	else
		ifi->ifi_index = (int)ifindex;
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	err = netlink_talk(nl, nlh, take_link, &found);
	if (!name && err == -EINVAL) /* -EINVAL: the index is not positive */
		err = -ENODEV;
	if (!err && !found.ifindex)
		err = -ENODEV;
	if (!err)
		*out = found;
	return err;
}

#define MASTERS_MAX 4 /* a link in a bond in a bridge needs 2; the others are a reserve */

uint32_t netlink_layer3(struct netlink *nl, uint32_t ifindex)
{
	struct netlink_link link;

	for (unsigned i = 0; i < MASTERS_MAX; i++) {
		if (netlink_link(nl, NULL, ifindex, &link) || !link.master)
			break;
		ifindex = link.master;
	}
	return ifindex;
}

struct member {
	uint32_t master;
	char name[16]; /* "" = none yet */
};

static int take_member(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *a = netlink_attr(nlh, sizeof(struct ifinfomsg), IFLA_MASTER, 4);
	struct member *m = ctx;
	struct netlink_link l;

	if (a && mnl_attr_get_u32(a) == m->master && netlink_parse_link(nlh, &l))
		memcpy(m->name, l.name, sizeof(m->name));
	return 0;
}

int netlink_member(struct netlink *nl, uint32_t ifindex, char name[static 16])
{
	struct member m = { .master = ifindex };
	struct nlmsghdr *nlh = netlink_begin(nl, RTM_GETLINK, NLM_F_DUMP);
	int err;

	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	mnl_attr_put_u32(nlh, IFLA_MASTER, ifindex); /* list only the links of this master */
	err = netlink_dump(nl, nlh, take_member, &m, NULL);
	if (*m.name)
		memcpy(name, m.name, sizeof(m.name));
	return *m.name ? 0 : err ? err : -ENOENT;
}

static int take_drops(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *a = netlink_attr(nlh, sizeof(struct ifinfomsg), IFLA_STATS64,
					      offsetof(struct rtnl_link_stats64, multicast));
	struct netlink_drops *out = ctx;
	struct rtnl_link_stats64 stats; /* a copy, because attributes are aligned to only 4 bytes */

	if (!a)
		return -EBADMSG;
	memcpy(&stats, mnl_attr_get_payload(a), offsetof(struct rtnl_link_stats64, multicast));
	*out = (struct netlink_drops){ .rx_dropped = stats.rx_dropped,
				       .tx_dropped = stats.tx_dropped };
	return 0;
}

int netlink_link_drops(struct netlink *nl, uint32_t ifindex, struct netlink_drops *out)
{
	struct nlmsghdr *nlh = netlink_begin(nl, RTM_GETLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	int err;

	ifi->ifi_index = (int)ifindex;
	err = netlink_talk(nl, nlh, take_drops, out);
	return err == -EINVAL ? -ENODEV : err; /* -EINVAL: the index is not positive */
}

void netlink_queues(const char *name, uint32_t *rx, uint32_t *tx)
{
	struct ethtool_counts now = { 0 }, max;

	(void)ethtool_channels(name, &now, &max);
	*rx = now.combined + now.rx;
	*tx = now.combined + now.tx;
	*rx = *rx ? *rx : 1;
	*tx = *tx ? *tx : 1;
}

struct qdisc_search {
	int ifindex;
	struct netlink_qdiscs found;
};

static int take_qdisc(const struct nlmsghdr *nlh, void *ctx)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);
	struct qdisc_search *s = ctx;
	const struct nlattr *kind;

	if (nlh->nlmsg_type != RTM_NEWQDISC || mnl_nlmsg_get_payload_len(nlh) < sizeof(*tc) ||
	    tc->tcm_ifindex != s->ifindex || !tc->tcm_handle)
		return 0;
	kind = netlink_attr(nlh, sizeof(*tc), TCA_KIND, 1);
	if (kind && tc->tcm_parent == TC_H_ROOT)
		netlink_copy_text(s->found.root, sizeof(s->found.root), kind);
	if (kind && tc->tcm_parent == TC_H_CLSACT)
		netlink_copy_text(s->found.clsact, sizeof(s->found.clsact), kind);
	return 0;
}

int netlink_qdiscs(struct netlink *nl, uint32_t ifindex, struct netlink_qdiscs *out)
{
	struct nlmsghdr *nlh = netlink_begin(nl, RTM_GETQDISC, NLM_F_DUMP);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(nlh, sizeof(*tc));
	struct qdisc_search s = { .ifindex = (int)ifindex };
	int err;

	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = (int)ifindex;
	err = netlink_dump(nl, nlh, take_qdisc, &s, NULL);
	if (!err)
		*out = s.found;
	return err;
}

int netlink_set_up(struct netlink *nl, uint32_t ifindex, bool up)
{
	struct nlmsghdr *nlh = netlink_begin_link(nl, ifindex);
	struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

	ifi->ifi_change = IFF_UP;
	ifi->ifi_flags = up ? IFF_UP : 0;
	return netlink_talk(nl, nlh, NULL, NULL);
}

int netlink_set_mtu(struct netlink *nl, uint32_t ifindex, uint32_t mtu)
{
	struct nlmsghdr *nlh = netlink_begin_link(nl, ifindex);

	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	return netlink_talk(nl, nlh, NULL, NULL);
}

int netlink_add_altname(struct netlink *nl, uint32_t ifindex, const char *name)
{
	struct nlmsghdr *nlh = netlink_begin_link(nl, ifindex);
	struct nlattr *list;

	nlh->nlmsg_type = RTM_NEWLINKPROP;
	nlh->nlmsg_flags |= NLM_F_CREATE | NLM_F_APPEND;
	list = mnl_attr_nest_start(nlh, IFLA_PROP_LIST);
	mnl_attr_put_strz(nlh, IFLA_ALT_IFNAME, name);
	mnl_attr_nest_end(nlh, list);
	return netlink_talk(nl, nlh, NULL, NULL);
}
