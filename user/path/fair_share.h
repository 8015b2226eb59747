/* SPDX-License-Identifier: MIT */
/*
 * fair_share.h - keeps the messages to one peer from filling the queue between the worker and the
 * NIC, which all peers share: the send buffer of the UDP socket, or the frames of the AF_XDP
 * socket. The last quarter of the queue is reserved for the peers that get fewer messages than
 * others. The fuller the queue, the lower the limit: a message is refused if the number of recent
 * messages to its peer exceeds the limit:
 *
 *     fullness            0 to 11   12 and 13   14        15 and 16 sixteenths
 *     limit               none      average     average   average
 *                                               / 2       / 4
 *
 * The average weights each peer by the number of messages to it (the sum of squares divided by the
 * sum), so that many peers with few messages do not lower the average. The peers with the most
 * messages thus share the queue evenly, and messages to the other peers find room. If the NIC is
 * fast enough, the queue never fills and no message is refused.
 */
#ifndef WGXDP_FAIR_SHARE_H
#define WGXDP_FAIR_SHARE_H

#include <stdbool.h>
#include <stdint.h>

/* The shares are enforced when the queue is at least this full, in sixteenths. */
#define FAIR_SHARE_FROM 12

#define FAIR_SHARE_PEERS 256 /* a power of two; peers with the same slot % 256 share a count */

/* Counts, by peer, the messages that were added to one queue recently. All counts are halved from
 * time to time. */
struct fair_share {
	uint32_t messages[FAIR_SHARE_PEERS];
	uint32_t total;
	uint32_t squares; /* sum of the squares of all counts */
};

/* Counts @n messages to the peer in @slot that were added to the queue. */
void fair_share_add(struct fair_share *f, uint32_t slot, uint32_t n);

/* Returns true if no message to the peer in @slot may be added to a queue that is @fullness
 * sixteenths full. */
bool fair_share_exceeded(const struct fair_share *f, uint32_t slot, unsigned fullness);

#endif
