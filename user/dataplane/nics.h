/* SPDX-License-Identifier: MIT */
/*
 * nics.h - one NIC. If the options request XDP and the NIC supports it, the NIC gets the XDP
 * program and AF_XDP sockets; else it gets the TC ingress program, and the reason is recorded.
 * Only the control thread calls these functions.
 */
#ifndef WGXDP_NICS_H
#define WGXDP_NICS_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/nic_checks.h"
#include "dataplane/options.h"
#include "dataplane/path_stats.h"
#include "io/ethtool.h"
#include "io/netlink.h"
#include "io/transport.h"
#include "util/fault.h"
#include "wgxdp/limits.h"
#include "wgxdp/maps.h"

struct loader;
struct netlink;
struct nic_tuner;

#define NICS_WHY_LEN sizeof(((struct fault *)0)->text)

struct nic {
	char name[IFNAME_MAX + 1];
	uint32_t ifindex;	     /* 0 = no NIC of this name exists now */
	bool attached;		     /* our XDP program is attached */
	bool native;		     /* our XDP program runs in native mode */
	bool tc;		     /* our TC program is attached instead of XDP */
	enum nics_obstacle obstacle; /* what prevents XDP; when it ends, the NIC is opened again */
	uint32_t occupant;	     /* if NICS_PROGRAM: id of the other XDP program */
	uint32_t busy_queue;	     /* if NICS_QUEUE: the queue with another program's socket */
	uint32_t layer3;	     /* ifindex of the NIC's bridge or bond, else of the NIC */
	uint32_t mtu;		/* MTU when the queues were opened; larger frames may not fit */
	uint32_t carrier_downs; /* count of carrier losses, read when XDP was attached */
	struct nic_bypassed bypassed;
	/* If has_found: what the last nics_look() found, for the nics_open() that follows */
	struct nic_bypassed found;
	bool has_found;
	unsigned read_interval, looks_since_read; /* while bypassed.unread is not "" */
	struct ethtool_offload_state offloads[ETHTOOL_OFFLOADS]; /* state when XDP was refused */
	unsigned looks;	       /* calls of nics_look() since the driver refused XDP */
	unsigned rx_queues;    /* receiving queues of the NIC when we tried to open it */
	unsigned queue_count;  /* queues that have an AF_XDP socket */
	unsigned sender_count; /* AF_XDP sends on queues 0 to sender_count - 1 */
	struct transport *queues[NIC_QUEUES_MAX];
	char why[NICS_WHY_LEN]; /* why requested XDP is not used, or what XDP bypasses; or "" */
};

/* Arguments that all functions of this module need. All pointers are borrowed. */
struct nics_env {
	const struct options *options;
	struct netlink *netlink;
	struct nic_netfilter *netfilter;
	struct nic_tuner *tuner;
	struct loader *loader;
	struct path_stats *closed; /* the counts of closed queues are added here */
};

/* Opens the NIC as the options request. Returns 0, or -errno with @f and nic->why filled in; the
 * NIC then has only the TC program, or no program of ours. */
int nics_open(const struct nics_env *env, struct nic *nic, struct fault *f);

/* Returns true if data may be sent by AF_XDP on this NIC. */
bool nics_sends(const struct nics_env *env, const struct nic *nic);

/* Detaches our program and closes the queues. Workers that use the queues must be stopped. */
void nics_close(const struct nics_env *env, struct nic *nic);

/* How a NIC has changed since the last nics_look(). */
enum nics_change {
	NICS_SAME,
	/* The NIC or our program on it is gone, or the NIC must be opened again: stop the workers,
	 * then call nics_leave(). */
	NICS_LOST,
	NICS_READY, /* the obstacle is gone: nics_open() may succeed now */
	NICS_NOTED, /* only nic->why and nic->bypassed have changed */
};

/* Looks for changes of a NIC. Follows renames, and finds a NIC that was deleted and created
 * again. */
enum nics_change nics_look(const struct nics_env *env, struct nic *nic);

/* Closes the queues of a lost NIC, and attaches the TC program if the NIC still exists. */
void nics_leave(const struct nics_env *env, struct nic *nic);

#endif
