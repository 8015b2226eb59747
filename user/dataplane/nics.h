/* SPDX-License-Identifier: MIT */
/*
 * nics.h - one NIC of a node: XDP and AF_XDP sockets where the options ask for them and it takes
 * them, else TC ingress, and why. Private to user/daemon; control thread.
 */
#ifndef WGXDP_NICS_H
#define WGXDP_NICS_H

#include <stdbool.h>
#include <stdint.h>

#include "io/transport.h"
#include "util/fault.h"
#include "wgxdp/limits.h"
#include "wgxdp/maps.h"

struct daemon;

#define NICS_WHY_LEN 256

/* What was in the way of XDP, and may go by itself. */
enum nics_obstacle {
	NICS_NOTHING, /* nothing was, or what was stays */
	NICS_PROGRAM, /* another XDP program */
	NICS_QUEUE,   /* another AF_XDP socket */
	NICS_MTU,     /* frames larger than AF_XDP takes */
};

struct nic {
	char name[IFNAME_MAX + 1];
	uint32_t ifindex; /* 0: there is none of that name now */
	bool attached;	  /* our XDP program is there */
	bool native;
	bool tc;		     /* our TC program is, in its place */
	enum nics_obstacle obstacle; /* it is opened again when that is gone */
	uint32_t occupant;	     /* NICS_PROGRAM: the id of the XDP program that was there */
	uint32_t busy_queue;	     /* NICS_QUEUE: which one */
	uint32_t mtu;	       /* that its queues were opened for: larger frames would not fit */
	unsigned queue_count;  /* all that it receives on */
	unsigned sender_count; /* the first of them, on which it sends, too */
	struct transport *queues[NIC_QUEUES_MAX];
	char why[NICS_WHY_LEN]; /* it has no XDP, though that was asked for; "" = it has, or was not */
};

/* Opens what the options ask for. If that fails it is left with TC, or nothing, and nic->why: -errno
 * with @f. */
int nics_open(struct daemon *n, struct nic *nic, struct fault *f);
/* The workers must not run if it has queues. */
void nics_close(struct daemon *n, struct nic *nic);

enum nics_change {
	NICS_SAME,
	NICS_LOST,  /* it, or our program on it, is gone: nics_leave() once the workers stand */
	NICS_READY, /* nics_open() may do now what it could not do before */
};

/* What has become of it since; follows its name, and finds it again when it is made anew. */
enum nics_change nics_look(struct daemon *n, struct nic *nic);
void nics_leave(struct daemon *n, struct nic *nic);

#endif
