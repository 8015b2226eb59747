/* SPDX-License-Identifier: MIT */
/*
 * path_usage.h - which path incoming data really takes, by its counts. An attached XDP program does
 * not prove that data arrives by XDP: a hung worker, VLAN tags or another interface lead it to the
 * UDP sockets. (Outgoing data needs no such proof, because the path of each peer is our choice.)
 * Control thread.
 */
#ifndef WGXDP_PATH_USAGE_H
#define WGXDP_PATH_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A window needs this many data messages, because a peer whose route changes sends a few more by
 * the old path. */
#define PATH_USAGE_ENOUGH 64

struct path_usage {
	uint64_t xsk, udp;	     /* counts when the current window began */
	uint64_t last_xsk, last_udp; /* data messages of the last full window */
	bool by_udp;		     /* most data of that window took the UDP sockets */
};

/* Evaluates the data messages since the current window began. If they are enough, closes the window
 * and begins the next one. Returns true if by_udp changed. */
bool path_usage_update(struct path_usage *u, uint64_t xsk, uint64_t udp);

#endif
