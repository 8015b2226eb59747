/* SPDX-License-Identifier: MIT */
/* tunnel_loop.c - see tunnel_loop.h. */
#include "path/tunnel_loop.h"

#include <netinet/in.h>
#include <string.h>

#include "wg/peer.h"

static const struct peer *peer_towards(const struct allowedips *allowed, const struct endpoint *to)
{
	if (to->remote.sa.sa_family == AF_INET)
		return allowedips_lookup4(allowed, (const uint8_t *)&to->remote.v4.sin_addr);
	return allowedips_lookup6(allowed, to->remote.v6.sin6_addr.s6_addr);
}

bool tunnel_loop_exists(const struct allowedips *allowed, const struct encap *e)
{
	for (unsigned nests = 0; e && e->via_tunnel; nests++) {
		const struct peer *next = peer_towards(allowed, &e->endpoint);

		if (nests == TUNNEL_LOOP_MAX)
			return true;
		e = next ? atomic_load_explicit(&next->encap, memory_order_acquire) : NULL;
	}
	return false;
}

/* Returns the UDP header in the IP packet @ip of @len bytes, or NULL if there is none. */
static const uint8_t *udp_header(const uint8_t *ip, uint32_t len)
{
	uint32_t at = (ip[0] & 15u) * 4;
	uint8_t next = ip[9];

	if (ip[0] >> 4 == 4 && ((ip[6] & 0x1f) || ip[7])) /* not the first fragment */
		return NULL;
	if (ip[0] >> 4 == 6) {
		at = 40;
		next = ip[6];
		/* Our UDP socket adds no extension header except a fragment header. */
		if (next == IPPROTO_FRAGMENT && len >= 48 && !ip[42] && !(ip[43] & 0xf8)) {
			next = ip[40];
			at = 48;
		}
	}
	return next == IPPROTO_UDP && len >= at + 8 ? ip + at : NULL;
}

bool tunnel_loop_is_own(const struct encap *e, const uint8_t *ip, uint32_t len)
{
	const struct endpoint *to = &e->endpoint;
	const uint8_t *udp = udp_header(ip, len);

	if (!udp || memcmp(udp, &e->source_port, 2) != 0)
		return false;
	if (ip[0] >> 4 == 4)
		return to->remote.sa.sa_family == AF_INET &&
		       !memcmp(udp + 2, &to->remote.v4.sin_port, 2) &&
		       !memcmp(ip + 16, &to->remote.v4.sin_addr, 4) &&
		       (!to->local.v4.s_addr || !memcmp(ip + 12, &to->local.v4, 4));
	return to->remote.sa.sa_family == AF_INET6 &&
	       !memcmp(udp + 2, &to->remote.v6.sin6_port, 2) &&
	       !memcmp(ip + 24, &to->remote.v6.sin6_addr, 16) &&
	       (IN6_IS_ADDR_UNSPECIFIED(&to->local.v6) || !memcmp(ip + 8, &to->local.v6, 16));
}
