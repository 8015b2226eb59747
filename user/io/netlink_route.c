/* SPDX-License-Identifier: MIT */
/*
 * netlink_route.c - queries routes and neighbours: the next hop of a packet to an endpoint, and its
 * MAC. The request socket and addresses are in netlink.c, links in netlink_link.c.
 */
#include <errno.h>
#include <linux/neighbour.h>
#include <stdlib.h>

#include "io/netlink.h"
#include "io/netlink_private.h"

/* Route queries ------------------------------------------------------------------------------- */

struct query {
	uint8_t family;
	const uint8_t *to, *from; /* @from: NULL = the route chooses the source */
	__be16 port;		  /* UDP port of @to; 0 = none */
	__be16 source_port;	  /* 0 = unknown */
	uint32_t ifindex;	  /* 0 = any */
	uint32_t fwmark;
};

static int parse_type(const struct rtmsg *rtm, struct netlink_route *r)
{
	switch (rtm->rtm_type) {
	case RTN_UNICAST:
		return 0;
	case RTN_LOCAL:
	case RTN_ANYCAST:
		r->local = true;
		return 0;
	case RTN_UNREACHABLE:
		return -EHOSTUNREACH;
	case RTN_BLACKHOLE:
	case RTN_THROW:
		return -ENETUNREACH;
	default: /* prohibited, or a broadcast or multicast address, which no peer can have */
		return -EACCES;
	}
}

static void parse_gateway(const struct nlmsghdr *nlh, const struct rtmsg *rtm,
			  struct netlink_route *r)
{
	const struct nlattr *a;
	const struct rtvia *via;
	size_t len = netlink_addr_len(rtm->rtm_family);

	a = netlink_attr(nlh, sizeof(*rtm), RTA_GATEWAY, len);
	if (a) {
		r->has_gateway = true;
		r->gateway_family = rtm->rtm_family;
		memcpy(r->gateway, mnl_attr_get_payload(a), len);
		return;
	}
	a = netlink_attr(nlh, sizeof(*rtm), RTA_VIA, sizeof(*via) + 16);
	via = a ? mnl_attr_get_payload(a) : NULL;
	if (via && via->rtvia_family == AF_INET6) {
		r->has_gateway = true;
		r->gateway_family = AF_INET6;
		memcpy(r->gateway, via->rtvia_addr, 16);
	}
}

static int take_route(const struct nlmsghdr *nlh, void *ctx)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct netlink_route *r = ctx;
	const struct nlattr *a, *metrics;
	size_t len;
	int err;

	if (nlh->nlmsg_type != RTM_NEWROUTE)
		return 0;
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm))
		return -EBADMSG;
	err = parse_type(rtm, r);
	if (err)
		return err;
	len = netlink_addr_len(rtm->rtm_family);
	parse_gateway(nlh, rtm, r);
	a = netlink_attr(nlh, sizeof(*rtm), RTA_OIF, 4);
	if (a)
		r->ifindex = mnl_attr_get_u32(a);
	a = netlink_attr(nlh, sizeof(*rtm), RTA_PREFSRC, len);
	if (a) {
		r->has_source = true;
		memcpy(r->source, mnl_attr_get_payload(a), len);
	}
	r->encapsulated = netlink_attr(nlh, sizeof(*rtm), RTA_ENCAP_TYPE, 2) != NULL;
	metrics = netlink_attr(nlh, sizeof(*rtm), RTA_METRICS, 0);
	/* If the kernel has a cached path MTU, it reports this MTU instead of the route's MTU. */
	a = metrics ? netlink_nested(metrics, RTAX_MTU, 4) : NULL;
	if (a)
		r->mtu = mnl_attr_get_u32(a);
	a = metrics ? netlink_nested(metrics, RTAX_HOPLIMIT, 4) : NULL;
	if (a)
		r->hoplimit = (uint8_t)mnl_attr_get_u32(a);
	return 0;
}

static int query(struct netlink *nl, const struct query *q, struct netlink_route *out)
{
	struct nlmsghdr *nlh = netlink_begin(nl, RTM_GETROUTE, 0);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	size_t len = netlink_addr_len(q->family);

	rtm->rtm_family = q->family;
	rtm->rtm_dst_len = 8 * len;
	mnl_attr_put(nlh, RTA_DST, len, q->to);
	if (q->from) {
		rtm->rtm_src_len = 8 * len;
		mnl_attr_put(nlh, RTA_SRC, len, q->from);
	}
	if (q->ifindex)
		mnl_attr_put_u32(nlh, RTA_OIF, q->ifindex);
	if (q->fwmark)
		mnl_attr_put_u32(nlh, RTA_MARK, q->fwmark);
	if (q->port) { /* policy rules and the multipath hash may depend on the ports */
		mnl_attr_put_u8(nlh, RTA_IP_PROTO, IPPROTO_UDP);
		mnl_attr_put_u16(nlh, RTA_DPORT, q->port);
	}
	if (q->port && q->source_port)
		mnl_attr_put_u16(nlh, RTA_SPORT, q->source_port);
	*out = (struct netlink_route){ 0 };
	return netlink_talk(nl, nlh, take_route, out);
}

/* Returns true if the route to q->from is local, which means that q->from is an address of this
 * host. The answer to @q itself does not show this: IPv6 accepts any source. IPv4 returns an error
 * for a foreign source, but this error differs between kernels and may also have another cause. */
static bool is_ours(struct netlink *nl, const struct query *q)
{
	struct query back = { .family = q->family, .to = q->from, .ifindex = q->ifindex };
	struct netlink_route r;

	return query(nl, &back, &r) == 0 && r.local;
}

static struct query query_for(const struct endpoint *e, const struct netlink_flow *flow)
{
	bool v4 = e->remote.sa.sa_family == AF_INET;
	struct query q = { .family = v4 ? AF_INET : AF_INET6,
			   .fwmark = flow->fwmark,
			   .source_port = flow->source_port };

	if (v4) {
		q.to = (const uint8_t *)&e->remote.v4.sin_addr;
		q.port = e->remote.v4.sin_port;
		if (e->local.v4.s_addr)
			q.from = (const uint8_t *)&e->local.v4;
		return q;
	}
	q.to = e->remote.v6.sin6_addr.s6_addr;
	q.port = e->remote.v6.sin6_port;
	if (!IN6_IS_ADDR_UNSPECIFIED(&e->local.v6))
		q.from = e->local.v6.s6_addr;
	/* Query a link-local address on its link. Query any other address without a link, because
	 * its route may have moved to another link since e->ifindex was set. */
	if (IN6_IS_ADDR_LINKLOCAL(&e->remote.v6.sin6_addr))
		q.ifindex = e->remote.v6.sin6_scope_id ? e->remote.v6.sin6_scope_id : e->ifindex;
	return q;
}

int netlink_route(struct netlink *nl, const struct endpoint *e, const struct netlink_flow *flow,
		  struct netlink_route *out)
{
	sa_family_t family = e->remote.sa.sa_family;
	struct netlink_route r;
	struct netlink_link link;
	struct query q;
	int err;

	if (family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	q = query_for(e, flow);
	err = query(nl, &q, &r);
	if (q.from && (family == AF_INET6 || err) && !is_ours(nl, &q))
		return -EINVAL;
	if (err)
		return err == -EINVAL ? -ENETUNREACH : err; /* -EINVAL: a blackhole route */

	if (q.from) {
		r.has_source = true;
		memcpy(r.source, q.from, netlink_addr_len(q.family));
	}
	if (netlink_link(nl, NULL, r.ifindex, &link) == 0 && (!r.mtu || link.mtu < r.mtu))
		r.mtu = link.mtu;
	*out = r;
	return 0;
}

int netlink_default_route(struct netlink *nl, uint8_t family, const struct netlink_flow *flow,
			  struct netlink_route *out)
{
	/* The IPv4 address is reserved (RFC 1112 4). The IPv6 address is unassigned, but within
	 * 2000::/3, because some hosts route 2000::/3 instead of ::/0. */
	const struct endpoint nobody4 = { .remote.v4 = { .sin_family = AF_INET,
							 .sin_addr.s_addr = htonl(0xf0000001) } };
	const struct endpoint nobody6 = {
		.remote.v6 = { .sin6_family = AF_INET6,
			       .sin6_addr.s6_addr = { 0x3f, 0xff, 0xff, 0xff, [15] = 1 } },
	};

	return netlink_route(nl, family == AF_INET ? &nobody4 : &nobody6, flow, out);
}

static int ignore_route(const struct nlmsghdr *nlh, void *ctx)
{
	(void)nlh, (void)ctx;
	return 0;
}

int netlink_check_source(struct netlink *nl, const struct endpoint *from, __be16 port)
{
	struct nlmsghdr *nlh = netlink_begin(nl, RTM_GETROUTE, 0);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	bool v4 = from->remote.sa.sa_family == AF_INET;
	size_t len = netlink_addr_len(v4 ? AF_INET : AF_INET6);
	int err;

	rtm->rtm_family = v4 ? AF_INET : AF_INET6;
	rtm->rtm_src_len = rtm->rtm_dst_len = 8 * len;
	mnl_attr_put(nlh, RTA_SRC, len,
		     v4 ? (const void *)&from->remote.v4.sin_addr : &from->remote.v6.sin6_addr);
	mnl_attr_put(nlh, RTA_DST, len, &from->local);
	mnl_attr_put_u32(nlh, RTA_IIF, from->ifindex);
	mnl_attr_put_u8(nlh, RTA_IP_PROTO, IPPROTO_UDP);
	mnl_attr_put_u16(nlh, RTA_SPORT, v4 ? from->remote.v4.sin_port : from->remote.v6.sin6_port);
	mnl_attr_put_u16(nlh, RTA_DPORT, port);
	err = netlink_talk(nl, nlh, ignore_route, NULL);
	/* The kernel returns EINVAL for a martian source, and EXDEV if the reverse path differs. */
	return err == -EINVAL ? -EXDEV : err;
}

bool netlink_parse_destination(const struct nlmsghdr *nlh, struct prefix *out)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm) ||
	    (rtm->rtm_family != AF_INET && rtm->rtm_family != AF_INET6))
		return false;
	*out = (struct prefix){ .family = rtm->rtm_family, .length = rtm->rtm_dst_len };
	a = netlink_attr(nlh, sizeof(*rtm), RTA_DST, netlink_addr_len(rtm->rtm_family));
	if (a)
		memcpy(out->addr, mnl_attr_get_payload(a), netlink_addr_len(rtm->rtm_family));
	return prefix_valid(out) && (a || !out->length);
}

/* Neighbours ---------------------------------------------------------------------------------- */

struct neighbour {
	bool valid, managed;
	bool fixed; /* permanent, NOARP, or maintained by another program (extern_learn) */
	uint8_t mac[6];
};

static int take_neighbour(const struct nlmsghdr *nlh, void *ctx)
{
	static const uint16_t usable =
		NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE;
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	struct neighbour *n = ctx;
	const struct nlattr *a;

	if (nlh->nlmsg_type != RTM_NEWNEIGH)
		return 0;
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ndm))
		return -EBADMSG;
	a = netlink_attr(nlh, sizeof(*ndm), NDA_FLAGS_EXT, 4);
	n->managed = a && mnl_attr_get_u32(a) & NTF_EXT_MANAGED;
	n->fixed = ndm->ndm_state & (NUD_PERMANENT | NUD_NOARP) || ndm->ndm_flags & NTF_EXT_LEARNED;
	a = netlink_attr(nlh, sizeof(*ndm), NDA_LLADDR, sizeof(n->mac));
	if (a && mnl_attr_get_payload_len(a) == sizeof(n->mac) && ndm->ndm_state & usable) {
		n->valid = true;
		memcpy(n->mac, mnl_attr_get_payload(a), sizeof(n->mac));
	}
	return 0;
}

bool netlink_parse_neighbour(const struct nlmsghdr *nlh, struct netlink_neighbour_event *out)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	struct neighbour n = { .valid = false };
	const struct nlattr *a;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ndm) ||
	    (ndm->ndm_family != AF_INET && ndm->ndm_family != AF_INET6))
		return false;
	a = netlink_attr(nlh, sizeof(*ndm), NDA_DST, netlink_addr_len(ndm->ndm_family));
	/* For RTM_DELNEIGH, take_neighbour() returns 0 and leaves n.valid false. */
	if (!a || take_neighbour(nlh, &n))
		return false;
	*out = (struct netlink_neighbour_event){
		.ifindex = (uint32_t)ndm->ndm_ifindex,
		.family = ndm->ndm_family,
		.valid = n.valid,
	};
	memcpy(out->addr, mnl_attr_get_payload(a), netlink_addr_len(ndm->ndm_family));
	memcpy(out->mac, n.mac, sizeof(out->mac));
	return true;
}

static struct nlmsghdr *begin_neighbour(struct netlink *nl, uint16_t type, uint16_t flags,
					uint32_t ifindex, uint8_t family, const uint8_t *addr)
{
	struct nlmsghdr *nlh = netlink_begin(nl, type, flags);
	struct ndmsg *ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));

	ndm->ndm_family = family;
	ndm->ndm_ifindex = (int)ifindex;
	mnl_attr_put(nlh, NDA_DST, netlink_addr_len(family), addr);
	return nlh;
}

static int get_neighbour(struct netlink *nl, uint32_t ifindex, uint8_t family, const uint8_t *addr,
			 struct neighbour *out)
{
	*out = (struct neighbour){ 0 };
	return netlink_talk(nl, begin_neighbour(nl, RTM_GETNEIGH, 0, ifindex, family, addr),
			    take_neighbour, out);
}

int netlink_neighbour(struct netlink *nl, uint32_t ifindex, uint8_t family, const uint8_t *addr,
		      uint8_t mac[static 6])
{
	struct neighbour n;
	int err = get_neighbour(nl, ifindex, family, addr, &n);

	if (err)
		return err;
	if (!n.valid)
		return -ENOENT;
	memcpy(mac, n.mac, sizeof(n.mac));
	return 0;
}

/* Sets the extended flags of a neighbour to @extended. Sets NTF_USE as well, because a kernel
 * before 5.16 ignores extended flags and would otherwise forget the MAC. @flags: NLM_F_CREATE or
 * 0. */
static int set_managed(struct netlink *nl, uint16_t flags, uint32_t ifindex, uint8_t family,
		       const uint8_t *addr, uint32_t extended)
{
	struct nlmsghdr *nlh = begin_neighbour(nl, RTM_NEWNEIGH, flags, ifindex, family, addr);
	struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);

	ndm->ndm_flags = NTF_USE;
	mnl_attr_put_u32(nlh, NDA_FLAGS_EXT, extended);
	return netlink_talk(nl, nlh, NULL, NULL);
}

int netlink_neighbour_manage(struct netlink *nl, uint32_t ifindex, uint8_t family,
			     const uint8_t *addr)
{
	struct neighbour n;
	int err = get_neighbour(nl, ifindex, family, addr, &n);

	if (err && err != -ENOENT)
		return err;
	/* Leave the entry alone, because a request would clear its flags. */
	if (!err && (n.managed || n.fixed))
		return 0;

	err = set_managed(nl, NLM_F_CREATE, ifindex, family, addr, NTF_EXT_MANAGED);
	return err ? err : 1;
}

int netlink_neighbour_release(struct netlink *nl, uint32_t ifindex, uint8_t family,
			      const uint8_t *addr)
{
	struct neighbour n;
	int err = get_neighbour(nl, ifindex, family, addr, &n);

	if (err)
		return err == -ENOENT ? 0 : err;
	if (!n.managed || n.fixed)
		return 0;
	if (n.valid)
		return set_managed(nl, 0, ifindex, family, addr, 0);
	/* The neighbour does not answer, so delete the entry, which would only fill the table. */
	return netlink_talk(nl, begin_neighbour(nl, RTM_DELNEIGH, 0, ifindex, family, addr), NULL,
			    NULL);
}
