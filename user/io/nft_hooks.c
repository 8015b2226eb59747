/* SPDX-License-Identifier: MIT */
#include "io/nft_hooks.h"

#include <errno.h>
#include <netinet/in.h> /* must come before linux/netfilter.h */
#include <stdio.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "io/netlink_private.h"

static void keep_name(char name[static NFT_HOOK_NAME_LEN], const struct nlattr *table,
		      const struct nlattr *chain)
{
	char left[NFT_HOOK_NAME_LEN / 2] = "", right[NFT_HOOK_NAME_LEN / 2] = "";

	if (*name)
		return;
	netlink_copy_text(left, sizeof(left), table);
	netlink_copy_text(right, sizeof(right), chain);
	snprintf(name, NFT_HOOK_NAME_LEN, "%s %s", left, right);
}

static bool is_ip(uint8_t family)
{
	return family == NFPROTO_INET || family == NFPROTO_IPV4 || family == NFPROTO_IPV6;
}

static int take_chain(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *table, *name, *type, *hook, *number, *use;
	struct nft_hooks *out = ctx;
	char kind[16] = "";
	uint32_t at;

	if (nlh->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN) ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*nfg) || !is_ip(nfg->nfgen_family))
		return 0;
	table = netlink_attr(nlh, sizeof(*nfg), NFTA_CHAIN_TABLE, 1);
	name = netlink_attr(nlh, sizeof(*nfg), NFTA_CHAIN_NAME, 1);
	type = netlink_attr(nlh, sizeof(*nfg), NFTA_CHAIN_TYPE, 1);
	hook = netlink_attr(nlh, sizeof(*nfg), NFTA_CHAIN_HOOK, 0);
	number = hook ? netlink_nested(hook, NFTA_HOOK_HOOKNUM, 4) : NULL;
	/* A chain with a hook cannot be the target of a jump, so the use count of the chain is the
	 * number of its rules. */
	use = netlink_attr(nlh, sizeof(*nfg), NFTA_CHAIN_USE, 4);
	if (!table || !name || !type || !number || !use || !mnl_attr_get_u32(use))
		return 0;
	netlink_copy_text(kind, sizeof(kind), type);
	at = ntohl(mnl_attr_get_u32(number));
	if (!strcmp(kind, "route") && at == NF_INET_LOCAL_OUT)
		keep_name(out->route, table, name);
	else if (!strcmp(kind, "nat") && (at == NF_INET_LOCAL_OUT || at == NF_INET_POST_ROUTING))
		keep_name(out->nat, table, name);
	return 0;
}

int nft_hooks_read(struct netlink *nl, struct nft_hooks *out)
{
	struct nlmsghdr *nlh =
		netlink_begin(nl, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, NLM_F_DUMP);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	struct nft_hooks found = { "", "" };
	int err;

	nfg->nfgen_family = NFPROTO_UNSPEC;
	nfg->version = NFNETLINK_V0;
	err = netlink_dump(nl, nlh, take_chain, &found, NULL);
	if (!err)
		*out = found;
	return err;
}
