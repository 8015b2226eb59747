/* SPDX-License-Identifier: MIT */
/* fuzz_nic.c - parses any bytes as a message from the kernel about an nf_tables chain, a driver's
 * XDP features, a NIC's queue, or an AF_XDP socket. Texts must be terminated and printable, and
 * nothing beyond the message may be read. */
#include "io/nft_hooks.c"    /* NOLINT(bugprone-suspicious-include) */
#include "io/xdp_features.c" /* NOLINT(bugprone-suspicious-include) */
#include "io/xsk_owners.c"   /* NOLINT(bugprone-suspicious-include) */

#include "netlink_message.h"

static void require_text(const char text[static NFT_HOOK_NAME_LEN])
{
	const char *end = memchr(text, '\0', NFT_HOOK_NAME_LEN);

	require(end);
	for (; text < end; text++)
		require(*text >= ' ' && *text <= '~');
}

static void read_message(const struct nlmsghdr *nlh)
{
	struct search chains = { .nic = "eth0" };
	struct xdp_features features;
	struct xsk_search sockets = { .end = UINT32_MAX };
	struct queue_walk walk = { .fn = take_used, .ctx = &sockets };
	struct xsk_owners owners = { .count = 0 };
	uint16_t family;

	take_chain(nlh, &chains);
	require_text(chains.found.route);
	require_text(chains.found.nat);
	require_text(chains.found.ingress);
	require_text(chains.found.egress);
	take_socket(nlh, &sockets);
	list_owners(&sockets, &owners);
	require(owners.count <= NIC_QUEUES_MAX);
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct genlmsghdr))
		return; /* the kernel always sends this header */
	take_features(nlh, &features);
	take_family(nlh, &family);
	take_queue(nlh, &walk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = { NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN,
					  GENL_ID_CTRL, SOCK_DIAG_BY_FAMILY };

	return read_as_message(data, size, types, sizeof(types) / sizeof(types[0]), read_message);
}
