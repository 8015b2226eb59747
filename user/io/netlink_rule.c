/* SPDX-License-Identifier: MIT */
#include "io/netlink_rule.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <stdlib.h>

#include "io/netlink_request.h"

bool netlink_rule_same(const struct netlink_rule *a, const struct netlink_rule *b)
{
	return a->family == b->family && a->invert == b->invert && a->other == b->other &&
	       a->priority == b->priority && a->table == b->table && a->fwmark == b->fwmark &&
	       a->suppress_prefixlength == b->suppress_prefixlength;
}

struct rules {
	struct netlink_list list; /* items are struct netlink_rule */
	uint8_t family;
};

/* Returns true if the attribute may select packets. An attribute that wgxdp does not know counts as
 * a selector, because newer kernels have more selectors. */
static bool is_selector(const struct nlattr *a)
{
	switch (mnl_attr_get_type(a)) {
	case FRA_PRIORITY:
	case FRA_FWMARK:
	case FRA_FWMASK: /* has_other_selector() reads the mask together with the mark */
	case FRA_SUPPRESS_PREFIXLEN:
	case FRA_TABLE:
	case FRA_PAD:
	case FRA_PROTOCOL:
		return false;
	case FRA_SUPPRESS_IFGROUP: /* -1 means no group */
		return mnl_attr_get_payload_len(a) < 4 || mnl_attr_get_u32(a) != UINT32_MAX;
	default:
		return true;
	}
}

/* Returns true if the rule selects packets by anything other than a fwmark without a mask, or if
 * its action is not a table look-up. */
static bool has_other_selector(const struct nlmsghdr *nlh, const struct fib_rule_hdr *header)
{
	const struct nlattr *mark = netlink_attr(nlh, sizeof(*header), FRA_FWMARK, 4);
	const struct nlattr *mask = netlink_attr(nlh, sizeof(*header), FRA_FWMASK, 4);
	const struct nlattr *a;
	bool selector = false;

	mnl_attr_for_each(a, nlh, sizeof(*header)) selector |= is_selector(a);
	/* The kernel leaves out a mark of 0. So a mask alone selects the packets in whose mark
	 * these bits are 0. */
	return selector || header->src_len || header->dst_len || header->tos ||
	       header->action != FR_ACT_TO_TBL ||
	       (mask && (!mark || mnl_attr_get_u32(mask) != UINT32_MAX));
}

static int take_rule(const struct nlmsghdr *nlh, void *ctx)
{
	const struct fib_rule_hdr *header = mnl_nlmsg_get_payload(nlh);
	struct rules *all = ctx;
	const struct nlattr *a;
	struct netlink_rule *r;

	if (nlh->nlmsg_type != RTM_NEWRULE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*header) ||
	    header->family != all->family)
		return 0;
	r = netlink_list_add(&all->list, sizeof(*r));
	if (!r)
		return -ENOMEM;
	*r = (struct netlink_rule){
		.family = header->family,
		.invert = header->flags & FIB_RULE_INVERT,
		.other = has_other_selector(nlh, header),
		.table = header->table,
		.suppress_prefixlength = -1,
	};
	a = netlink_attr(nlh, sizeof(*header), FRA_PRIORITY, 4);
	r->priority = a ? mnl_attr_get_u32(a) : 0;
	a = netlink_attr(nlh, sizeof(*header), FRA_TABLE, 4);
	r->table = a ? mnl_attr_get_u32(a) : r->table;
	a = netlink_attr(nlh, sizeof(*header), FRA_FWMARK, 4);
	r->fwmark = a ? mnl_attr_get_u32(a) : 0;
	a = netlink_attr(nlh, sizeof(*header), FRA_SUPPRESS_PREFIXLEN, 4);
	r->suppress_prefixlength = a ? (int32_t)mnl_attr_get_u32(a) : -1;
	a = netlink_attr(nlh, sizeof(*header), FRA_PROTOCOL, 1);
	r->protocol = a ? mnl_attr_get_u8(a) : 0;
	return 0;
}

int netlink_rules(struct netlink *nl, uint8_t family, struct netlink_rule **list, size_t *count)
{
	struct nlmsghdr *nlh = netlink_begin(nl, RTM_GETRULE, NLM_F_DUMP);
	struct fib_rule_hdr *header = mnl_nlmsg_put_extra_header(nlh, sizeof(*header));
	struct rules all = { .family = family };
	int err;

	header->family = family;
	err = netlink_dump(nl, nlh, take_rule, &all, &all.list);
	if (err) {
		free(all.list.items);
		return err;
	}
	*list = all.list.items;
	*count = all.list.count;
	return 0;
}

static int change(struct netlink *nl, uint16_t type, uint16_t flags,
		  const struct netlink_rule *rule)
{
	struct nlmsghdr *nlh = netlink_begin(nl, type, flags);
	struct fib_rule_hdr *header = mnl_nlmsg_put_extra_header(nlh, sizeof(*header));

	header->family = rule->family;
	header->action = FR_ACT_TO_TBL;
	header->flags = rule->invert ? FIB_RULE_INVERT : 0;
	header->table = rule->table < 256 ? (uint8_t)rule->table : RT_TABLE_UNSPEC;
	mnl_attr_put_u32(nlh, FRA_TABLE, rule->table);
	mnl_attr_put_u32(nlh, FRA_PRIORITY, rule->priority);
	if (rule->protocol)
		mnl_attr_put_u8(nlh, FRA_PROTOCOL, rule->protocol);
	if (rule->fwmark)
		mnl_attr_put_u32(nlh, FRA_FWMARK, rule->fwmark);
	if (rule->suppress_prefixlength >= 0)
		mnl_attr_put_u32(nlh, FRA_SUPPRESS_PREFIXLEN,
				 (uint32_t)rule->suppress_prefixlength);
	return netlink_talk(nl, nlh, NULL, NULL);
}

int netlink_add_rule(struct netlink *nl, const struct netlink_rule *rule)
{
	return change(nl, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);
}

int netlink_delete_rule(struct netlink *nl, const struct netlink_rule *rule)
{
	return change(nl, RTM_DELRULE, 0, rule);
}
