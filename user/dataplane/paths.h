/* SPDX-License-Identifier: MIT */
/*
 * paths.h - chooses between XDP and the UDP sockets, for each NIC and direction:
 *
 *   --rx, --tx    auto: XDP, or the UDP sockets if nic_checks.h or the NIC refuses XDP
 *                       (paths.why)
 *                 xdp:  XDP, or the attach fails
 *                 udp:  the UDP sockets
 *   --chain       XDP together with other XDP programs; if that is impossible, the attach fails,
 *                 even if --rx and --tx are auto
 *
 * Later a NIC may be deleted and created again, another XDP program may be detached from it, or
 * ours may be detached by force. paths_follow() looks at each NIC once a second, because the kernel
 * sends no notification when a bpf_link is attached or detached:
 *
 *   open ──▶ has XDP ── our program or the NIC is gone ──▶ UDP sockets, with TC
 *     └────▶ UDP sockets, with TC ── the obstacle is gone, or the NIC was created again ──▶ open
 *
 * If the user named no NIC, the NICs are chosen again when routes or endpoints change, because the
 * daemon may start before the network is there, and a default route may move from one NIC to
 * another.
 *
 * The UDP sockets are always open while the interface is up (udp_group.h). Only the control thread
 * calls these functions.
 */
#ifndef WGXDP_PATHS_H
#define WGXDP_PATHS_H

#include "dataplane/nics.h"

struct conf;
struct device;
struct workers;

#define PATHS_FOLLOW_NS NS_PER_S
#define PATHS_WHY_LEN 1024

struct paths {
	struct nics_env env;
	unsigned nic_count;
	bool rx_xdp, tx_xdp;		       /* at least one NIC receives (sends) by AF_XDP */
	unsigned queue_count, zero_copy_count; /* AF_XDP sockets, and those in zero-copy mode */
	bool busy_poll;			       /* all AF_XDP sockets have busy polling */
	struct nic nics[OPTIONS_NICS_MAX];
	char why[PATHS_WHY_LEN]; /* nic.why of all NICs, or why XDP cannot be used at all */
};

/* Chooses the NICs without opening them. env->loader may still be NULL. Returns 0, or -errno with
 * @f filled in. */
int paths_choose(struct paths *p, const struct nics_env *env, const struct conf *conf,
		 uint32_t fwmark, struct fault *f);

/* Opens the chosen NICs. Returns 0. If the user forced XDP and XDP cannot be used, returns -errno
 * with @f filled in. */
int paths_open(struct paths *p, struct loader *loader, struct fault *f);

/* Records in p->why that XDP cannot be used, with the reason @err and @f. Returns 0, or @err if the
 * user forced XDP. */
int paths_without_xdp(struct paths *p, int err, const struct fault *f);

/* Calls @warn for each NIC that has no AF_XDP although the options allow it, and for each NIC on
 * which AF_XDP bypasses a setting of the host, or would bypass it. Leaves out NICs on which the UDP
 * sockets are faster, and NICs that do not exist yet. Call after paths_open() or
 * paths_without_xdp(). */
void paths_warn(const struct paths *p, void (*warn)(void *ctx, const char *sentence), void *ctx);

void paths_close(struct paths *p); /* workers that use the queues must be stopped */

/* Returns the smallest number of sending queues that a NIC with AF_XDP sockets has; 0 = there is
 * no such NIC. With at most this many workers, each worker has a queue on every NIC. */
unsigned paths_fewest_queues(const struct paths *p);

/* Distributes the queues among the stopped workers. Returns 0, or -errno with @f filled in: -ENOSPC
 * if there are too many queues for one worker, or an error of loader_set_queue_worker(). */
int paths_give_ports(const struct paths *p, struct workers *workers, struct fault *f);

/* Looks for changes of each NIC. Stops the workers before it closes a queue. Returns true if a NIC
 * changed. The caller must then stop the workers, call paths_give_ports() and start the workers. */
bool paths_follow(struct paths *p, struct workers *workers);

/* Chooses the NICs again, if the user named none: the NICs of the routes to the peers of @device,
 * or else of the default routes. Opens new NICs. Closes a NIC that neither a route to a peer nor a
 * default route uses any more, unless no NIC would remain. @tunnel: name of the tunnel interface.
 * Returns true if a NIC changed, like paths_follow(). */
bool paths_choose_again(struct paths *p, struct workers *workers, const struct device *device,
			uint32_t fwmark, const char *tunnel);

/* Adds the counts of the open AF_XDP sockets. */
void paths_stats(const struct paths *p, struct path_stats *sum);

#endif
