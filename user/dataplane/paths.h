/* SPDX-License-Identifier: MIT */
/*
 * paths.h - which way packets take outside, chosen for each NIC and direction:
 *
 *   --rx, --tx    auto: XDP if the NIC takes it, else the UDP sockets; paths.why gives the reason
 *                 xdp:  XDP, or the attach fails
 *                 udp:  the UDP sockets
 *   --chain       XDP beside the programs of others, or the attach fails, with auto as well
 *
 * Later a NIC may be deleted and created again, another program may leave it, or ours may be
 * detached by force. paths_follow() looks at each NIC once a second, because the kernel notifies
 * nobody when a bpf_link comes or goes:
 *
 *   open ──▶ has XDP ── our program or the NIC is gone ──▶ UDP sockets, with TC
 *     └────▶ UDP sockets, with TC ── the obstacle is gone, or the NIC was created again ──▶ open
 *
 * The UDP sockets are always open while the interface is up (udp_group.h). Control thread.
 */
#ifndef WGXDP_PATHS_H
#define WGXDP_PATHS_H

#include "dataplane/nics.h"

struct conf;
struct workers;

#define PATHS_FOLLOW_NS NS_PER_S
#define PATHS_WHY_LEN 512

struct paths {
	struct nics_env env;
	unsigned nic_count;
	bool rx_xdp, tx_xdp, zero_copy; /* of all NICs together */
	struct nic nics[OPTIONS_NICS_MAX];
	char why[PATHS_WHY_LEN]; /* why XDP was requested but is not used; else "" */
};

/* Chooses the NICs, which are not opened yet. env->loader may still be NULL. 0/-errno with @f. */
int paths_choose(struct paths *p, const struct nics_env *env, const struct conf *conf,
		 uint32_t fwmark, struct fault *f);

/* Opens the chosen NICs. Returns 0, or -errno with @f only if XDP was forced. */
int paths_open(struct paths *p, struct loader *loader, struct fault *f);

/* Records in p->why that XDP cannot be used, with the reason @err and @f. Returns 0, or @err if XDP
 * was forced. */
int paths_without_xdp(struct paths *p, int err, const struct fault *f);

void paths_close(struct paths *p); /* no worker may run that has ports */

/* Number of queues of the NIC with the fewest that send, so that each worker can have one on every
 * NIC. 0: no NIC has any. */
unsigned paths_fewest_queues(const struct paths *p);

/* Deals the queues to the stopped workers. 0, or -ENOSPC: too many queues for one worker. */
int paths_give_ports(const struct paths *p, struct workers *workers);

/* Looks at each NIC. Stops the workers before it closes a queue; returns true if anything changed:
 * the caller stops the workers, deals the queues again and starts them. */
bool paths_follow(struct paths *p, struct workers *workers);

/* Adds the counts of the open AF_XDP sockets. */
void paths_stats(const struct paths *p, struct path_stats *sum);

#endif
