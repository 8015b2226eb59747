/* SPDX-License-Identifier: MIT */
/* netlink_message.h - shared by the netlink fuzzers: makes a message from any bytes. */
#ifndef WGXDP_NETLINK_MESSAGE_H
#define WGXDP_NETLINK_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "fuzz_main.h"
#include "io/netlink_private.h"

static inline void require(bool what)
{
	if (!what)
		abort();
}

/* Calls @read with a message made from the @size bytes at @data: the first byte chooses one of the
 * @count @types, and the other bytes are the payload. Always returns 0. */
static inline int read_as_message(const uint8_t *data, size_t size, const uint16_t *types,
				  size_t count, void (*read)(const struct nlmsghdr *nlh))
{
	struct nlmsghdr *nlh;

	if (!size || size > NETLINK_BUFFER)
		return 0;
	/* mnl_nlmsg_ok() checks the length in the header, so only the rest is fuzzed. The buffer is
	 * padded to the alignment, as in netlink.c, because libmnl may read the padding. */
	nlh = calloc(1, MNL_ALIGN(sizeof(*nlh) + size - 1));
	if (!nlh)
		return 0;
	nlh->nlmsg_len = (uint32_t)(sizeof(*nlh) + size - 1);
	nlh->nlmsg_type = types[data[0] % count];
	memcpy(nlh + 1, data + 1, size - 1);
	read(nlh);
	free(nlh);
	return 0;
}

#endif
