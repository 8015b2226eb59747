/* SPDX-License-Identifier: MIT */
#include "io/nft_hooks.h"

#include <errno.h>
#include <netinet/in.h> /* must come before linux/netfilter.h */
#include <stdio.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "io/kernel_constants.h"
#include "io/netlink_private.h"
#include "util/fault.h"

struct search {
	const char *nic;
	struct nft_hooks found;
};

/* Sets @name to "TABLE CHAIN" unless @name already names a chain. Makes the text printable, because
 * the kernel allows any byte in names of tables and chains. */
static void keep_name(char name[static NFT_HOOK_NAME_LEN], const struct nlattr *table,
		      const struct nlattr *chain)
{
	char left[NFT_HOOK_NAME_LEN / 2] = "", right[NFT_HOOK_NAME_LEN / 2] = "";

	if (*name)
		return;
	netlink_copy_text(left, sizeof(left), table);
	netlink_copy_text(right, sizeof(right), chain);
	snprintf(name, NFT_HOOK_NAME_LEN, "%s %s", left, right);
	fault_printable(name);
}

/* Returns true if the attribute @device is the name @nic or a prefix of @nic. */
static bool is_name_of(const struct nlattr *device, const char *nic)
{
	const char *text = mnl_attr_get_payload(device);
	size_t len = strnlen(text, mnl_attr_get_payload_len(device));

	if (mnl_attr_get_type(device) == NFTA_DEVICE_PREFIX)
		return !strncmp(nic, text, len);
	return mnl_attr_get_type(device) == NFTA_DEVICE_NAME && strlen(nic) == len &&
	       !memcmp(nic, text, len);
}

/* Returns true if the hook of a chain lists @nic among its devices. */
static bool is_chain_of(const struct nlattr *hook, const char *nic)
{
	const struct nlattr *devices = netlink_nested(hook, NFTA_HOOK_DEVS, 0), *device;
	bool found = false;

	if (!devices)
		return false;
	mnl_attr_for_each_nested(device, devices) found |= is_name_of(device, nic);
	return found;
}

/* Returns the member of s->found for the name of a chain with this family, type and hook, or NULL
 * if AF_XDP does not bypass the chain on the NIC. */
static char *find_place(struct search *s, uint8_t family, const char *type,
			const struct nlattr *hook)
{
	const struct nlattr *number = netlink_nested(hook, NFTA_HOOK_HOOKNUM, 4);
	uint32_t at = number ? ntohl(mnl_attr_get_u32(number)) : UINT32_MAX;
	struct nft_hooks *found = &s->found;

	switch (family) {
	case NFPROTO_NETDEV:
		if (!is_chain_of(hook, s->nic))
			return NULL;
		if (at == NF_NETDEV_INGRESS)
			return found->ingress;
		return at == NF_NETDEV_EGRESS ? found->egress : NULL;
	case NFPROTO_INET:
		if (at == NF_INET_INGRESS)
			return is_chain_of(hook, s->nic) ? found->ingress : NULL;
		/* fallthrough */
	case NFPROTO_IPV4:
	case NFPROTO_IPV6:
		if (!strcmp(type, "route") && at == NF_INET_LOCAL_OUT)
			return found->route;
		if (!strcmp(type, "nat") && (at == NF_INET_LOCAL_OUT || at == NF_INET_POST_ROUTING))
			return found->nat;
		return NULL;
	default:
		return NULL;
	}
}

static int take_chain(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *table, *name, *type, *hook, *use;
	char kind[16], *place;

	if (nlh->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN) ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*nfg))
		return 0;
	table = netlink_attr(nlh, sizeof(*nfg), NFTA_CHAIN_TABLE, 1);
	name = netlink_attr(nlh, sizeof(*nfg), NFTA_CHAIN_NAME, 1);
	type = netlink_attr(nlh, sizeof(*nfg), NFTA_CHAIN_TYPE, 1);
	hook = netlink_attr(nlh, sizeof(*nfg), NFTA_CHAIN_HOOK, 0);
	/* A chain with a hook cannot be the target of a jump, so the use count of the chain is the
	 * number of its rules. */
	use = netlink_attr(nlh, sizeof(*nfg), NFTA_CHAIN_USE, 4);
	if (!table || !name || !type || !hook || !use || !mnl_attr_get_u32(use))
		return 0;
	netlink_copy_text(kind, sizeof(kind), type);
	place = find_place(ctx, nfg->nfgen_family, kind, hook);
	if (place)
		keep_name(place, table, name);
	return 0;
}

int nft_hooks_read(struct netlink *nl, const char *nic, struct nft_hooks *out)
{
	struct nlmsghdr *nlh =
		netlink_begin(nl, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, NLM_F_DUMP);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	struct search s = { .nic = nic };
	int err;

	nfg->nfgen_family = NFPROTO_UNSPEC;
	nfg->version = NFNETLINK_V0;
	err = netlink_dump(nl, nlh, take_chain, &s, NULL);
	if (!err)
		*out = s.found;
	return err;
}

bool nft_hooks_unsupported(int err)
{
	return err == -EINVAL || err == -EOPNOTSUPP || err == -EPROTONOSUPPORT;
}
