/* SPDX-License-Identifier: MIT */
#include "dataplane/path_usage.h"

bool path_usage_update(struct path_usage *u, uint64_t xsk, uint64_t udp)
{
	uint64_t by_xsk = xsk - u->xsk, by_udp = udp - u->udp;
	bool was_by_udp = u->by_udp;

	if (by_xsk + by_udp < PATH_USAGE_ENOUGH)
		return false;
	*u = (struct path_usage){
		.xsk = xsk,
		.udp = udp,
		.last_xsk = by_xsk,
		.last_udp = by_udp,
		.by_udp = by_udp > by_xsk,
	};
	return u->by_udp != was_by_udp;
}
