/* SPDX-License-Identifier: MIT */
/* fuzz_netlink.c - takes any bytes as a message of the kernel about a link, a neighbour or a route.
 * Text must be terminated, addresses must have the length of their family, and nothing beyond the
 * message may be read. */
#include "io/netlink_route.c" /* NOLINT(bugprone-suspicious-include) */

#include <stdlib.h>

#include "fuzz_main.h"

static void require(bool what)
{
	if (!what)
		abort();
}

static void read_message(const struct nlmsghdr *nlh)
{
	struct netlink_neighbour_event neighbour;
	struct netlink_route route = { 0 };
	struct netlink_link link;

	if (netlink_parse_link(nlh, &link))
		require(memchr(link.name, '\0', sizeof(link.name)));
	if (netlink_parse_neighbour(nlh, &neighbour))
		require(neighbour.family == AF_INET || neighbour.family == AF_INET6);
	take_route(nlh, &route);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = { RTM_NEWLINK,	RTM_DELLINK,  RTM_NEWNEIGH,
					  RTM_DELNEIGH, RTM_NEWROUTE, RTM_NEWADDR };
	struct nlmsghdr *nlh;

	if (size < 2 || size > NETLINK_BUFFER)
		return 0;
	/* mnl_nlmsg_ok() checks the length in the header, so only the rest is fuzzed. The buffer is
	 * padded to the alignment, as in netlink.c, because libmnl may read the padding. */
	nlh = calloc(1, MNL_ALIGN(sizeof(*nlh) + size));
	nlh->nlmsg_len = (uint32_t)(sizeof(*nlh) + size - 1);
	nlh->nlmsg_type = types[data[0] % (sizeof(types) / sizeof(types[0]))];
	memcpy(nlh + 1, data + 1, size - 1);
	read_message(nlh);
	free(nlh);
	return 0;
}
