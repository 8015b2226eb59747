/* SPDX-License-Identifier: MIT */
#include "io/conntrack.h"

#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <unistd.h>

#include "io/netlink_request.h"

/* The kernel creates this file when the conntrack module is loaded. While the file does not exist,
 * no netlink request is sent, because a request would load the module. */
#define TRACKING "/proc/sys/net/netfilter/nf_conntrack_count"

struct netlink *conntrack_open(void)
{
	return access(TRACKING, F_OK) ? NULL : netlink_open_netfilter();
}

struct answer {
	bool translated, complete;
	struct conntrack_tuple original, reply;
};

static bool is_icmp(const struct conntrack_tuple *t)
{
	return t->protocol == IPPROTO_ICMP || t->protocol == IPPROTO_ICMPV6;
}

/* Building the request ------------------------------------------------------------------------- */

static void put_addresses(struct nlmsghdr *nlh, const struct conntrack_tuple *t)
{
	struct nlattr *ip = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);
	bool v4 = t->family == AF_INET;

	mnl_attr_put(nlh, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, netlink_addr_len(t->family),
		     t->source);
	mnl_attr_put(nlh, v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, netlink_addr_len(t->family),
		     t->destination);
	mnl_attr_nest_end(nlh, ip);
}

static void put_ports(struct nlmsghdr *nlh, const struct conntrack_tuple *t)
{
	struct nlattr *proto = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);
	bool v4 = t->family == AF_INET;

	mnl_attr_put_u8(nlh, CTA_PROTO_NUM, t->protocol);
	if (is_icmp(t)) {
		mnl_attr_put_u16(nlh, v4 ? CTA_PROTO_ICMP_ID : CTA_PROTO_ICMPV6_ID, t->id);
		mnl_attr_put_u8(nlh, v4 ? CTA_PROTO_ICMP_TYPE : CTA_PROTO_ICMPV6_TYPE,
				t->icmp_type);
		mnl_attr_put_u8(nlh, v4 ? CTA_PROTO_ICMP_CODE : CTA_PROTO_ICMPV6_CODE, 0);
	} else {
		mnl_attr_put_u16(nlh, CTA_PROTO_SRC_PORT, t->source_port);
		mnl_attr_put_u16(nlh, CTA_PROTO_DST_PORT, t->destination_port);
	}
	mnl_attr_nest_end(nlh, proto);
}

/* Reading the answer --------------------------------------------------------------------------- */

static bool take_bytes(const struct nlattr *nest, uint16_t type, void *to, size_t len)
{
	const struct nlattr *a = nest ? netlink_nested(nest, type, len) : NULL;

	if (a)
		memcpy(to, mnl_attr_get_payload(a), len);
	return a;
}

static bool take_tuple(const struct nlmsghdr *nlh, uint16_t type, uint8_t family,
		       struct conntrack_tuple *t)
{
	const struct nlattr *tuple = netlink_attr(nlh, sizeof(struct nfgenmsg), type, 0);
	const struct nlattr *ip = tuple ? netlink_nested(tuple, CTA_TUPLE_IP, 0) : NULL;
	const struct nlattr *proto = tuple ? netlink_nested(tuple, CTA_TUPLE_PROTO, 0) : NULL;
	bool v4 = family == AF_INET;
	size_t len = netlink_addr_len(family);

	t->family = family;
	if (!take_bytes(ip, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, t->source, len) ||
	    !take_bytes(ip, v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, t->destination, len) ||
	    !take_bytes(proto, CTA_PROTO_NUM, &t->protocol, 1))
		return false;
	if (is_icmp(t))
		return take_bytes(proto, v4 ? CTA_PROTO_ICMP_ID : CTA_PROTO_ICMPV6_ID, &t->id, 2) &&
		       take_bytes(proto, v4 ? CTA_PROTO_ICMP_TYPE : CTA_PROTO_ICMPV6_TYPE,
				  &t->icmp_type, 1);
	return take_bytes(proto, CTA_PROTO_SRC_PORT, &t->source_port, 2) &&
	       take_bytes(proto, CTA_PROTO_DST_PORT, &t->destination_port, 2);
}

static int take_entry(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *status = netlink_attr(nlh, sizeof(*nfg), CTA_STATUS, sizeof(uint32_t));
	struct answer *answer = ctx;

	if (!status)
		return -EBADMSG;
	answer->translated = (ntohl(mnl_attr_get_u32(status)) & (IPS_SRC_NAT | IPS_DST_NAT)) != 0;
	answer->complete = take_tuple(nlh, CTA_TUPLE_ORIG, nfg->nfgen_family, &answer->original) &&
			   take_tuple(nlh, CTA_TUPLE_REPLY, nfg->nfgen_family, &answer->reply);
	return 0;
}

/* Looks up an entry. The kernel finds an entry by either of its two tuples, so @t may belong to
 * either direction of the flow. */
static int look_up(struct netlink *nl, const struct conntrack_tuple *t, struct answer *answer)
{
	struct nfgenmsg *nfg;
	struct nlmsghdr *nlh;
	struct nlattr *tuple;

	if (!nl || access(TRACKING, F_OK))
		return -ENOENT;
	nlh = netlink_begin(nl, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, 0);
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = t->family;
	nfg->version = NFNETLINK_V0;
	tuple = mnl_attr_nest_start(nlh, CTA_TUPLE_ORIG);
	put_addresses(nlh, t);
	put_ports(nlh, t);
	mnl_attr_nest_end(nlh, tuple);
	return netlink_talk(nl, nlh, take_entry, answer);
}

int conntrack_translates(struct netlink *nl, const struct endpoint *e, __be16 source_port)
{
	bool v4 = e->remote.sa.sa_family == AF_INET;
	struct conntrack_tuple t = {
		.family = (uint8_t)e->remote.sa.sa_family,
		.protocol = IPPROTO_UDP,
		.source_port = source_port,
		.destination_port = v4 ? e->remote.v4.sin_port : e->remote.v6.sin6_port,
	};
	struct answer answer = { 0 };
	int err;

	memcpy(t.source, v4 ? (const void *)&e->local.v4 : &e->local.v6,
	       netlink_addr_len(t.family));
	memcpy(t.destination, v4 ? (const void *)&e->remote.v4.sin_addr : &e->remote.v6.sin6_addr,
	       netlink_addr_len(t.family));
	err = look_up(nl, &t, &answer);
	return err ? err : answer.translated;
}

static uint8_t other_echo(uint8_t type)
{
	switch (type) {
	case ICMP_ECHO:
		return ICMP_ECHOREPLY;
	case ICMP_ECHOREPLY:
		return ICMP_ECHO;
	case ICMP6_ECHO_REQUEST:
		return ICMP6_ECHO_REPLY;
	default:
		return ICMP6_ECHO_REQUEST;
	}
}

static void invert(const struct conntrack_tuple *t, struct conntrack_tuple *inverse)
{
	*inverse = (struct conntrack_tuple){ .family = t->family, .protocol = t->protocol };
	memcpy(inverse->source, t->destination, sizeof(inverse->source));
	memcpy(inverse->destination, t->source, sizeof(inverse->destination));
	if (is_icmp(t)) {
		inverse->id = t->id;
		inverse->icmp_type = other_echo(t->icmp_type);
	} else {
		inverse->source_port = t->destination_port;
		inverse->destination_port = t->source_port;
	}
}

static bool same_tuple(const struct conntrack_tuple *a, const struct conntrack_tuple *b)
{
	return a->protocol == b->protocol && a->source_port == b->source_port &&
	       a->destination_port == b->destination_port && a->icmp_type == b->icmp_type &&
	       !memcmp(a->source, b->source, sizeof(a->source)) &&
	       !memcmp(a->destination, b->destination, sizeof(a->destination));
}

/* An entry has two tuples, one for each direction of the flow. Each tuple holds the addresses and
 * ports that packets of its direction have before their translation. After the translation, the
 * packets have the addresses and ports of the other direction's tuple, with source and destination
 * swapped. */
int conntrack_before(struct netlink *nl, const struct conntrack_tuple *after,
		     struct conntrack_tuple *before)
{
	struct answer answer = { 0 };
	struct conntrack_tuple expected;
	int err;

	invert(after, &expected);
	err = look_up(nl, &expected, &answer);
	if (err)
		return err;
	if (!answer.complete)
		return -EBADMSG;
	*before = same_tuple(&expected, &answer.reply) ? answer.original : answer.reply;
	return 0;
}
