/* SPDX-License-Identifier: MIT */
/* fuzz_policy.c - parses any bytes as a message from the kernel about an IPsec policy or a tracked
 * connection. Nothing beyond the message may be read. */
#include "io/conntrack.c" /* NOLINT(bugprone-suspicious-include) */
#include "io/ipsec.c"	  /* NOLINT(bugprone-suspicious-include) */

#include "netlink_message.h"

static void read_message(const struct nlmsghdr *nlh)
{
	static const struct netlink_flow flow = { .source_port = 7 };
	struct endpoint e = { .remote.v4.sin_family = AF_INET };
	struct ipsec_watch *w = calloc(1, sizeof(*w));
	struct answer answer = { 0 };

	if (!w)
		return;
	take_policy(nlh, &w->now);
	take_default(nlh, &w->now);
	ipsec_applies(w, &e, &flow, 1);
	e = (struct endpoint){ .remote.v6.sin6_family = AF_INET6 };
	ipsec_applies(w, &e, &flow, 1);
	free(w->now.list.items);
	free(w);
	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(struct nfgenmsg) &&
	    !take_entry(nlh, &answer) && answer.complete &&
	    answer.original.family != answer.reply.family)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = { XFRM_MSG_NEWPOLICY, XFRM_MSG_GETDEFAULT,
					  NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW };

	return read_as_message(data, size, types, sizeof(types) / sizeof(types[0]), read_message);
}
