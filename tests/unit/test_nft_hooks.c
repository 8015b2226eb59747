/* SPDX-License-Identifier: MIT */
/* test_nft_hooks.c - nft_hooks.c: which chains of nf_tables concern the packets of a NIC. */
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/nft_hooks.c" /* NOLINT(bugprone-suspicious-include) */

#define NETDEV NFPROTO_NETDEV
#define INET NFPROTO_INET
#define IP NFPROTO_IPV4
#define IP6 NFPROTO_IPV6

struct chain {
	const char *name, *type;
	uint8_t family;
	uint32_t hook, rules;
	const char *devices; /* names, separated by blanks; "eth*" = a prefix; NULL = none */
};

static void put_devices(struct nlmsghdr *nlh, const char *devices)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_HOOK_DEVS);
	char text[IFNAMSIZ];
	int len;

	for (; sscanf(devices, "%15s%n", text, &len) == 1; devices += len) {
		bool is_prefix = text[strlen(text) - 1] == '*';

		text[strlen(text) - is_prefix] = '\0';
		mnl_attr_put_strz(nlh, is_prefix ? NFTA_DEVICE_PREFIX : NFTA_DEVICE_NAME, text);
	}
	mnl_attr_nest_end(nlh, nest);
}

/* Gives @s the message that the kernel sends about @c. */
static void tell(struct search *s, const struct chain *c)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *head = mnl_nlmsg_put_extra_header(nlh, sizeof(*head));
	struct nlattr *hook;

	nlh->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN;
	head->nfgen_family = c->family;
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, "t");
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, c->name);
	hook = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(nlh, NFTA_HOOK_HOOKNUM, htonl(c->hook));
	if (c->devices)
		put_devices(nlh, c->devices);
	mnl_attr_nest_end(nlh, hook);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, c->type);
	mnl_attr_put_u32(nlh, NFTA_CHAIN_USE, htonl(c->rules));
	assert_int_equal(take_chain(nlh, s), 0);
}

/* clang-format off */
static const struct {
	struct chain chain;
	const char *ingress, *egress, *route, *nat; /* what is found for the NIC eth0; NULL = "" */
} cases[] = {
	/* Chains of a NIC. */
	{ { "in", "filter", NETDEV, NF_NETDEV_INGRESS, 1, "eth0" }, .ingress = "t in" },
	{ { "out", "filter", NETDEV, NF_NETDEV_EGRESS, 256, "eth0" }, .egress = "t out" },
	{ { "in", "filter", INET, NF_INET_INGRESS, 1, "eth0" }, .ingress = "t in" },
	{ { "empty", "filter", NETDEV, NF_NETDEV_EGRESS, 0, "eth0" }, .egress = NULL },
	{ { "later", "filter", NETDEV, NF_NETDEV_EGRESS + 1, 1, "eth0" }, .egress = NULL },
	{ { "b\xe9t\x1b", "filter", NETDEV, NF_NETDEV_INGRESS, 1, "eth0" }, .ingress = "t b?t?" },
	/* Chains of several NICs, of other NICs, and of no NIC. */
	{ { "in", "filter", NETDEV, NF_NETDEV_INGRESS, 1, "eth1 lo eth0" }, .ingress = "t in" },
	{ { "other", "filter", NETDEV, NF_NETDEV_INGRESS, 1, "eth00 eth" }, .ingress = NULL },
	{ { "other", "filter", INET, NF_INET_INGRESS, 1, "eth1" }, .ingress = NULL },
	{ { "other", "filter", NETDEV, NF_NETDEV_INGRESS, 1, "" }, .ingress = NULL },
	{ { "other", "filter", NETDEV, NF_NETDEV_EGRESS, 1, NULL }, .egress = NULL },
	/* Prefixes of names. */
	{ { "in", "filter", NETDEV, NF_NETDEV_INGRESS, 1, "eth*" }, .ingress = "t in" },
	{ { "in", "filter", INET, NF_INET_INGRESS, 1, "lo eth0*" }, .ingress = "t in" },
	{ { "out", "filter", NETDEV, NF_NETDEV_EGRESS, 1, "*" }, .egress = "t out" },
	{ { "other", "filter", NETDEV, NF_NETDEV_EGRESS, 1, "eth1* eth00*" }, .egress = NULL },
	/* Chains for packets of the whole host, which name no NIC. */
	{ { "marks", "route", IP, NF_INET_LOCAL_OUT, 1, NULL }, .route = "t marks" },
	{ { "marks", "route", INET, NF_INET_LOCAL_OUT, 1, NULL }, .route = "t marks" },
	{ { "source", "nat", IP6, NF_INET_POST_ROUTING, 1, NULL }, .nat = "t source" },
	{ { "source", "nat", INET, NF_INET_LOCAL_OUT, 1, NULL }, .nat = "t source" },
	{ { "target", "nat", INET, NF_INET_PRE_ROUTING, 1, NULL }, .nat = NULL },
	{ { "out", "filter", INET, NF_INET_LOCAL_OUT, 1, NULL }, .route = NULL },
	{ { "marks", "route", NFPROTO_BRIDGE, NF_INET_LOCAL_OUT, 1, NULL }, .route = NULL },
};
/* clang-format on */

static void one_chain(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct search s = { .nic = "eth0" };
		const struct nft_hooks *found = &s.found;

		tell(&s, &cases[i].chain);
		if (strcmp(found->ingress, cases[i].ingress ?: "") != 0 ||
		    strcmp(found->egress, cases[i].egress ?: "") != 0 ||
		    strcmp(found->route, cases[i].route ?: "") != 0 ||
		    strcmp(found->nat, cases[i].nat ?: "") != 0)
			fail_msg("case %zu: ingress \"%s\", egress \"%s\", route \"%s\", nat "
				 "\"%s\"",
				 i, found->ingress, found->egress, found->route, found->nat);
	}
}

/* If several chains of a kind concern the NIC, the first of them is reported. */
static void several_chains(void **state)
{
	struct search s = { .nic = "eth0" };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		tell(&s, &cases[i].chain);
	assert_string_equal(s.found.ingress, "t in");
	assert_string_equal(s.found.egress, "t out");
	assert_string_equal(s.found.route, "t marks");
	assert_string_equal(s.found.nat, "t source");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_chain),
		cmocka_unit_test(several_chains),
	};

	return cmocka_run_group_tests_name("nft_hooks", tests, NULL, NULL);
}
