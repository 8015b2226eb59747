/* SPDX-License-Identifier: MIT */
#include "io/conntrack.h"

#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <unistd.h>

#include "io/netlink_request.h"

/* This file exists while the kernel tracks connections. Without this check the request itself would
 * load the module that answers it. */
#define TRACKING "/proc/sys/net/netfilter/nf_conntrack_count"

static int take_status(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *status =
		netlink_attr(nlh, sizeof(struct nfgenmsg), CTA_STATUS, sizeof(uint32_t));
	int *translated = ctx;

	if (!status)
		return -EBADMSG;
	*translated = (ntohl(mnl_attr_get_u32(status)) & (IPS_SRC_NAT | IPS_DST_NAT)) != 0;
	return 0;
}

static void put_addresses(struct nlmsghdr *nlh, const struct endpoint *e)
{
	struct nlattr *ip = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);

	if (e->remote.sa.sa_family == AF_INET) {
		mnl_attr_put(nlh, CTA_IP_V4_SRC, sizeof(e->local.v4), &e->local.v4);
		mnl_attr_put(nlh, CTA_IP_V4_DST, sizeof(e->remote.v4.sin_addr),
			     &e->remote.v4.sin_addr);
	} else {
		mnl_attr_put(nlh, CTA_IP_V6_SRC, sizeof(e->local.v6), &e->local.v6);
		mnl_attr_put(nlh, CTA_IP_V6_DST, sizeof(e->remote.v6.sin6_addr),
			     &e->remote.v6.sin6_addr);
	}
	mnl_attr_nest_end(nlh, ip);
}

static void put_ports(struct nlmsghdr *nlh, const struct endpoint *e, __be16 source_port)
{
	struct nlattr *proto = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);
	bool v4 = e->remote.sa.sa_family == AF_INET;

	mnl_attr_put_u8(nlh, CTA_PROTO_NUM, IPPROTO_UDP);
	mnl_attr_put_u16(nlh, CTA_PROTO_SRC_PORT, source_port);
	mnl_attr_put_u16(nlh, CTA_PROTO_DST_PORT,
			 v4 ? e->remote.v4.sin_port : e->remote.v6.sin6_port);
	mnl_attr_nest_end(nlh, proto);
}

/* The kernel finds the entry by either of its tuples, so either side may have begun the flow. */
int conntrack_translates(struct netlink *nl, const struct endpoint *e, __be16 source_port)
{
	struct nfgenmsg *nfg;
	struct nlmsghdr *nlh;
	struct nlattr *tuple;
	int err, translated = -ENOENT;

	if (!nl || access(TRACKING, F_OK))
		return -ENOENT;
	nlh = netlink_begin(nl, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, 0);
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = (uint8_t)e->remote.sa.sa_family;
	nfg->version = NFNETLINK_V0;
	tuple = mnl_attr_nest_start(nlh, CTA_TUPLE_ORIG);
	put_addresses(nlh, e);
	put_ports(nlh, e, source_port);
	mnl_attr_nest_end(nlh, tuple);
	err = netlink_talk(nl, nlh, take_status, &translated);
	return err ? err : translated;
}
