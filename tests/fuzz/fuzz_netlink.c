/* SPDX-License-Identifier: MIT */
/* fuzz_netlink.c - parses any bytes as a message from the kernel about a link, a neighbour or a
 * route. Text must be terminated, neighbours must be IPv4 or IPv6, and nothing beyond the message
 * may be read. */
#include "io/netlink_route.c" /* NOLINT(bugprone-suspicious-include) */

#include "netlink_message.h"

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

	return read_as_message(data, size, types, sizeof(types) / sizeof(types[0]), read_message);
}
