/* SPDX-License-Identifier: MIT */
/*
 * path_usage.h - finds out from counts whether incoming data really arrives through XDP. An
 * attached XDP program does not prove this. Data goes to the UDP sockets if a worker hangs, or if
 * the data has a VLAN tag, arrives on another interface or, in generic mode, was merged by the
 * kernel (GRO, GSO). (Outgoing data needs no such check, because we choose the path for each peer.)
 * Only the control thread calls these functions.
 */
#ifndef WGXDP_PATH_USAGE_H
#define WGXDP_PATH_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A counting window ends only after this many data messages, because after a change of the path a
 * few messages may still arrive over the old path. */
#define PATH_USAGE_ENOUGH 64

struct path_usage {
	uint64_t xsk, udp;	     /* counts when the current window began */
	uint64_t last_xsk, last_udp; /* data messages of the last full window */
	bool by_udp; /* most messages of the last full window came through the UDP sockets */
};

/* Call this with the current counts. If the current window has at least PATH_USAGE_ENOUGH messages,
 * evaluates it and begins the next one. Returns true if by_udp changed. */
bool path_usage_update(struct path_usage *u, uint64_t xsk, uint64_t udp);

#endif
