/* SPDX-License-Identifier: MIT */
#include "io/nft_watch.h"

#include <assert.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h> /* must come before linux/netfilter.h */
#include <stdlib.h>

#include <linux/netfilter.h>

#include "io/netlink_private.h"

struct nft_watch {
	struct netlink_events events;
};

struct nft_watch *nft_watch_open(void)
{
	struct nft_watch *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return NULL;
	err = netlink_events_open(&w->events, NETLINK_NETFILTER)
		      ?: netlink_events_join(&w->events, NFNLGRP_NFTABLES);
	if (!err)
		return w;
	nft_watch_close(w);
	errno = -err;
	return NULL;
}

void nft_watch_close(struct nft_watch *w)
{
	if (!w)
		return;
	netlink_events_close(&w->events);
	free(w);
}

int nft_watch_fd(const struct nft_watch *w)
{
	return netlink_events_fd(&w->events);
}

/* In the messages about tables, chains and rules, attribute 1 is the name of the table. */
static_assert(NFTA_TABLE_NAME == 1 && NFTA_CHAIN_TABLE == 1 && NFTA_RULE_TABLE == 1,
	      "the attribute that names the table differs");

static bool names_table(const struct nlmsghdr *nlh, const char *name)
{
	const struct nlattr *table;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg))
		return false;
	table = netlink_attr(nlh, sizeof(struct nfgenmsg), NFTA_TABLE_NAME, 1);
	return table && mnl_attr_get_payload_len(table) == strlen(name) + 1 &&
	       !memcmp(mnl_attr_get_payload(table), name, strlen(name) + 1);
}

struct search {
	const char *name;
	/* Families (bits 1 << NFPROTO_...) in which the table, or a chain or rule in it, was
	 * deleted. */
	uint32_t deleted;
	/* Like @deleted, but only for deletions after the table was last added to the family. */
	uint32_t later;
};

static void take_message(struct search *s, const struct nlmsghdr *nlh)
{
	const struct nfgenmsg *head = mnl_nlmsg_get_payload(nlh);
	uint32_t family;

	switch (nlh->nlmsg_type) {
	case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE:
	case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE:
	case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELCHAIN:
	case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELRULE:
		break;
	default:
		return;
	}
	if (!names_table(nlh, s->name) || head->nfgen_family >= NFPROTO_NUMPROTO)
		return;
	family = 1U << head->nfgen_family;
	if (nlh->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE)) {
		s->later &= ~family;
		return;
	}
	s->deleted |= family;
	s->later |= family;
}

static void take_event(void *ctx, const struct nlmsghdr *m, int nsid)
{
	(void)nsid;
	take_message(ctx, m);
}

bool nft_watch_read(struct nft_watch *w, const char *name)
{
	struct search s = { .name = name };
	bool lost = netlink_events_read(&w->events, take_event, &s);

	return lost || s.deleted;
}

bool nft_watch_read_added(struct nft_watch *w, const char *name, uint32_t families)
{
	struct search s = { .name = name };
	bool lost = netlink_events_read(&w->events, take_event, &s);

	return lost || s.later & families;
}
