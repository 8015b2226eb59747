/* SPDX-License-Identifier: MIT */
/*
 * ipsec.c - finds the IPsec policy that applies to a flow. The kernel has no request for this, so
 * all policies are read and compared with the flow as in __xfrm4_selector_match(). The policy with
 * the smallest priority value decides. If several policies have the same value, the kernel uses the
 * oldest of them, but does not report their age. In that case ipsec_applies() returns true if any
 * of these policies encrypts or refuses packets.
 */
#include "io/ipsec.h"

#include <errno.h>
#include <linux/xfrm.h>
#include <stdlib.h>

#include "io/netlink_private.h"
#include "wg/prefix.h"

struct policy {
	struct xfrm_selector selector;
	struct xfrm_mark mark;
	uint32_t priority;
	bool applies; /* the policy encrypts or refuses packets; false: it lets them pass */
};

struct policies {
	struct netlink_list list; /* items are struct policy */
	bool others_refused; /* packets without a policy are blocked (ip xfrm policy setdefault) */
};

struct ipsec_watch {
	struct netlink_events events;
	struct netlink *requests;
	struct policies now;
};

/* Reading -------------------------------------------------------------------------------------- */

static int take_policy(const struct nlmsghdr *nlh, void *ctx)
{
	struct xfrm_userpolicy_info info; /* a copy, because messages are aligned to only 4 bytes */
	const struct nlattr *a;
	struct policies *p = ctx;
	struct policy *new;

	if (nlh->nlmsg_type != XFRM_MSG_NEWPOLICY || mnl_nlmsg_get_payload_len(nlh) < sizeof(info))
		return 0;
	memcpy(&info, mnl_nlmsg_get_payload(nlh), sizeof(info));
	if (info.dir != XFRM_POLICY_OUT ||
	    netlink_attr(nlh, sizeof(info), XFRMA_IF_ID, 4)) /* skip policies of xfrm interfaces */
		return 0;
	new = netlink_list_add(&p->list, sizeof(*new));
	if (!new)
		return -ENOMEM;
	*new = (struct policy){
		.selector = info.sel,
		.priority = info.priority,
		.applies = info.action != XFRM_POLICY_ALLOW ||
			   netlink_attr(nlh, sizeof(info), XFRMA_TMPL, 1),
	};
	a = netlink_attr(nlh, sizeof(info), XFRMA_MARK, sizeof(new->mark));
	if (a)
		memcpy(&new->mark, mnl_attr_get_payload(a), sizeof(new->mark));
	return 0;
}

static int take_default(const struct nlmsghdr *nlh, void *ctx)
{
	const struct xfrm_userpolicy_default *d = mnl_nlmsg_get_payload(nlh);
	struct policies *p = ctx;

	if (nlh->nlmsg_type == XFRM_MSG_GETDEFAULT && mnl_nlmsg_get_payload_len(nlh) >= sizeof(*d))
		p->others_refused = d->out == XFRM_USERPOLICY_BLOCK;
	return 0;
}

static int read_all(struct netlink *nl, struct policies *p)
{
	struct nlmsghdr *nlh = netlink_begin(nl, XFRM_MSG_GETPOLICY, NLM_F_DUMP);
	int err;

	mnl_nlmsg_put_extra_header(nlh, sizeof(struct xfrm_userpolicy_id));
	err = netlink_dump(nl, nlh, take_policy, p, &p->list);
	if (err)
		return err;
	nlh = netlink_begin(nl, XFRM_MSG_GETDEFAULT, 0);
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct xfrm_userpolicy_default));
	err = netlink_talk(nl, nlh, take_default, p);
	return err == -EINVAL ? 0 : err; /* kernels before 5.15 have no default policy */
}

void ipsec_drain(struct ipsec_watch *w)
{
	(void)netlink_events_read(&w->events, NULL, NULL);
}

int ipsec_read(struct ipsec_watch *w)
{
	struct policies new = { 0 };
	int err = read_all(w->requests, &new);

	if (err) {
		free(new.list.items);
		return err;
	}
	free(w->now.list.items);
	w->now = new;
	return 0;
}

struct ipsec_watch *ipsec_open(void)
{
	struct ipsec_watch *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return NULL;
	w->requests = netlink_open_xfrm();
	err = w->requests ? netlink_events_open(&w->events, NETLINK_XFRM) : -errno;
	if (!err)
		err = netlink_events_join(&w->events, XFRMNLGRP_POLICY);
	if (!err)
		err = ipsec_read(w);
	if (!err)
		return w;
	ipsec_close(w);
	errno = -err;
	return NULL;
}

void ipsec_close(struct ipsec_watch *w)
{
	if (!w)
		return;
	netlink_events_close(&w->events);
	netlink_close(w->requests);
	free(w->now.list.items);
	free(w);
}

int ipsec_fd(const struct ipsec_watch *w)
{
	return netlink_events_fd(&w->events);
}

bool ipsec_any(const struct ipsec_watch *w)
{
	const struct policy *list = w->now.list.items;
	bool any = w->now.others_refused;

	for (size_t i = 0; i < w->now.list.count; i++)
		any |= list[i].applies;
	return any;
}

/* Comparing ------------------------------------------------------------------------------------ */

static bool in_prefix(const xfrm_address_t *network, uint8_t length, uint8_t family,
		      const void *address)
{
	struct prefix a = { .family = family, .length = length }, b = a;
	size_t n = netlink_addr_len(family);

	if (length > n * 8)
		return false;
	memcpy(a.addr, network, n);
	memcpy(b.addr, address, n);
	prefix_mask(&a);
	prefix_mask(&b);
	return !memcmp(a.addr, b.addr, n);
}

static bool matches(const struct policy *p, const struct endpoint *e,
		    const struct netlink_flow *flow, uint32_t ifindex)
{
	const struct xfrm_selector *s = &p->selector;
	bool v4 = e->remote.sa.sa_family == AF_INET;
	__be16 port = v4 ? e->remote.v4.sin_port : e->remote.v6.sin6_port;

	if (s->family != e->remote.sa.sa_family || (s->proto && s->proto != IPPROTO_UDP) ||
	    (s->ifindex && (uint32_t)s->ifindex != ifindex))
		return false;
	if ((s->dport ^ port) & s->dport_mask || (s->sport ^ flow->source_port) & s->sport_mask)
		return false;
	if ((flow->fwmark & p->mark.m) != p->mark.v)
		return false;
	return in_prefix(&s->daddr, s->prefixlen_d, (uint8_t)s->family,
			 v4 ? (const void *)&e->remote.v4.sin_addr : &e->remote.v6.sin6_addr) &&
	       in_prefix(&s->saddr, s->prefixlen_s, (uint8_t)s->family,
			 v4 ? (const void *)&e->local.v4 : &e->local.v6);
}

bool ipsec_applies(const struct ipsec_watch *w, const struct endpoint *e,
		   const struct netlink_flow *flow, uint32_t ifindex)
{
	bool found = false, applies = w && w->now.others_refused;
	const struct policy *list = w ? w->now.list.items : NULL;
	uint32_t priority = 0;

	for (size_t i = 0; w && i < w->now.list.count; i++) {
		const struct policy *p = &list[i];

		if ((found && p->priority > priority) || !matches(p, e, flow, ifindex))
			continue;
		applies = p->applies || (found && p->priority == priority && applies);
		priority = p->priority;
		found = true;
	}
	return applies;
}
