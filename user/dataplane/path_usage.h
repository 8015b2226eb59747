/* SPDX-License-Identifier: MIT */
/*
 * path_usage.h - which path the data of one direction really takes, by its counts. An attached XDP
 * program does not prove that data arrives by XDP: a hung worker, VLAN tags or another interface
 * lead it to the UDP sockets. Control thread.
 */
#ifndef WGXDP_PATH_USAGE_H
#define WGXDP_PATH_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fewer data messages decide nothing. */
#define PATH_USAGE_ENOUGH 8

struct path_usage {
	uint64_t xsk, udp;	     /* counts when the present window began */
	uint64_t last_xsk, last_udp; /* data messages of the last window that decided */
	bool by_udp;		     /* most data of that window took the UDP sockets */
};

/* Evaluates the counts of data messages since the last call. @expected_udp: how many messages may
 * take the UDP socket by design in that time. Returns true if by_udp changed. */
bool path_usage_update(struct path_usage *u, uint64_t xsk, uint64_t udp, uint64_t expected_udp);

/* Begins a window without deciding: too few messages in too long a time. */
void path_usage_restart(struct path_usage *u, uint64_t xsk, uint64_t udp);

#endif
