/* SPDX-License-Identifier: MIT */
#include "io/inner.h"

static bool transport4(const uint8_t *p, size_t len, uint8_t *protocol, size_t *at)
{
	size_t header = inner4_header_len(p);

	if (header < INNER4_LEN || len < header || inner4_is_later_fragment(p))
		return false;
	*protocol = inner4_protocol(p);
	*at = header;
	return true;
}

static bool transport6(const uint8_t *p, size_t len, uint8_t *protocol, size_t *at)
{
	uint8_t next = inner6_next(p);
	size_t offset = INNER6_LEN;

	while (next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS ||
	       next == IPPROTO_FRAGMENT) {
		const uint8_t *header = p + offset;

		if (len < offset + 8)
			return false;
		if (next == IPPROTO_FRAGMENT && inner6_is_later_fragment(header))
			return false;
		offset += next == IPPROTO_FRAGMENT ? 8 : ((size_t)header[1] + 1) * 8;
		next = header[0];
	}
	*protocol = next;
	*at = offset;
	return true;
}

bool inner_transport(const uint8_t *ip, size_t len, uint8_t *protocol, size_t *at)
{
	switch (inner_family(ip, len)) {
	case AF_INET:
		return transport4(ip, len, protocol, at);
	case AF_INET6:
		return transport6(ip, len, protocol, at);
	default:
		return false;
	}
}
