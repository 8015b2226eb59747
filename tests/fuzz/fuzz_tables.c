/* SPDX-License-Identifier: MIT */
/* fuzz_tables.c - parses any bytes as a message from the kernel about a route, a routing rule or a
 * change to nftables. Prefixes must be valid, and nothing beyond the message may be read. */
#include "io/netlink_rule.c"  /* NOLINT(bugprone-suspicious-include) */
#include "io/netlink_table.c" /* NOLINT(bugprone-suspicious-include) */
#include "io/nft_watch.c"     /* NOLINT(bugprone-suspicious-include) */

#include "netlink_message.h"

static void read_message(const struct nlmsghdr *nlh)
{
	struct table_routes table = { .table = RT_TABLE_MAIN };
	struct device_routes device = { .ifindex = 1 };
	struct rules rules = { .family = AF_INET };
	struct search changes = { .name = "wgxdp-wg0" };

	take_table_route(nlh, &table);
	take_device_route(nlh, &device);
	take_rule(nlh, &rules);
	take_message(&changes, nlh);
	require(!(changes.later & ~changes.deleted));
	for (size_t i = 0; i < table.list.count; i++)
		require(prefix_valid(&((struct netlink_table_route *)table.list.items)[i].to));
	for (size_t i = 0; i < rules.list.count; i++)
		require(((struct netlink_rule *)rules.list.items)[i].family == AF_INET);
	free(table.list.items);
	free(device.list.items);
	free(rules.list.items);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = { RTM_NEWROUTE, RTM_NEWRULE,
					  NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE,
					  NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELRULE };

	return read_as_message(data, size, types, sizeof(types) / sizeof(types[0]), read_message);
}
