/* SPDX-License-Identifier: MIT */
/*
 * nics.h - one NIC: XDP and AF_XDP sockets where the options ask for them and the NIC takes them,
 * else the TC ingress program, and the reason. Control thread.
 */
#ifndef WGXDP_NICS_H
#define WGXDP_NICS_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/options.h"
#include "dataplane/path_stats.h"
#include "io/netlink.h"
#include "io/transport.h"
#include "util/fault.h"
#include "wgxdp/limits.h"
#include "wgxdp/maps.h"

struct loader;
struct netlink;

#define NICS_WHY_LEN 256

/* What prevented XDP and may go away without our doing. */
enum nics_obstacle {
	NICS_NOTHING, /* no obstacle, or one that stays */
	NICS_PROGRAM, /* another XDP program */
	NICS_QUEUE,   /* another AF_XDP socket */
	NICS_MTU,     /* frames larger than AF_XDP takes */
};

struct nic {
	char name[IFNAME_MAX + 1];
	uint32_t ifindex;	     /* 0: no NIC of that name exists now */
	bool attached;		     /* our XDP program is attached */
	bool native;		     /* ... in native mode */
	bool tc;		     /* our TC program is attached in its place */
	enum nics_obstacle obstacle; /* the NIC is opened again when the obstacle is gone */
	uint32_t occupant;	     /* NICS_PROGRAM: id of the XDP program that was found */
	uint32_t busy_queue;	     /* NICS_QUEUE: the queue of the other socket */
	uint32_t layer3;	     /* netlink_layer3() when its queues were opened */
	uint32_t mtu; /* for which the queues were opened: larger frames do not fit */
	bool shaped;  /* a configured qdisc: auto sends by the UDP sockets */
	char qdisc[NETLINK_QDISC_LEN];
	unsigned queue_count;  /* queues that AF_XDP receives on */
	unsigned sender_count; /* AF_XDP sends on the first so many of them */
	struct transport *queues[NIC_QUEUES_MAX];
	char why[NICS_WHY_LEN]; /* why XDP was requested but is not used; else "" */
};

/* What all functions of this module need; borrowed. */
struct nics_env {
	const struct options *options;
	struct netlink *netlink;
	struct loader *loader;
	struct path_stats *closed; /* takes the counts of queues that are closed */
};

/* Opens what the options ask for. Returns 0, or -errno with @f and nic->why: the NIC has the TC
 * program then, or nothing. */
int nics_open(const struct nics_env *env, struct nic *nic, struct fault *f);

/* May data leave by AF_XDP on this NIC? */
bool nics_sends(const struct nics_env *env, const struct nic *nic);

/* Detaches our program and closes the queues. No worker may run that uses them. */
void nics_close(const struct nics_env *env, struct nic *nic);

/* What has become of a NIC since it was last looked at. */
enum nics_change {
	NICS_SAME,
	NICS_LOST,  /* the NIC or our program on it is gone: stop the workers, then nics_leave() */
	NICS_READY, /* the obstacle is gone: nics_open() may succeed now */
};

/* Follows renames, and finds a NIC that was deleted and created again. */
enum nics_change nics_look(const struct nics_env *env, struct nic *nic);

/* Closes what is left of a lost NIC and attaches TC in its place. */
void nics_leave(const struct nics_env *env, struct nic *nic);

#endif
