/* SPDX-License-Identifier: MIT */
/*
 * xsk_owners.h - finds the queues of a NIC that have AF_XDP sockets, and the processes that own the
 * sockets. Changes nothing, but the kernel may load its module xsk_diag to answer. Any thread
 * may call these functions.
 *
 *   queues of the NIC (netdev family, Linux 6.15) ─┬─▶ queues ─▶ /proc: processes ─▶ owners
 *   sockets of this network namespace (xsk_diag)  ─┘
 */
#ifndef WGXDP_XSK_OWNERS_H
#define WGXDP_XSK_OWNERS_H

#include <stdbool.h>
#include <stdint.h>

#include "util/fault.h"
#include "wgxdp/maps.h"

/* The queues @first to @last, whose sockets belong to the same process. */
struct xsk_owner {
	uint32_t first, last;
	int pid;	  /* 0 = unknown */
	char program[16]; /* the name of the process, in printable ASCII; "" = unknown */
};

struct xsk_owners {
	bool known; /* false: there may be sockets that the kernel does not report */
	unsigned count;
	struct xsk_owner items[NIC_QUEUES_MAX]; /* in the order of the queues */
};

/* Finds the owners of the sockets on the queues @begin to @end - 1 of the link @ifindex. The
 * processes stay unknown if the kernel lacks xsk_diag, or if we may not see their descriptors. */
void xsk_owners_read(uint32_t ifindex, uint32_t begin, uint32_t end, struct xsk_owners *out);

/* Writes for example "queues 0 to 3 (process 12, xdpsock)" or "queue 0", and returns @text. */
#define XSK_OWNER_TEXT_LEN 80
const char *xsk_owner_text(const struct xsk_owner *owner, char text[static XSK_OWNER_TEXT_LEN]);

/* Fills in @f with the message that the programs in @o use queues of @nic, and returns -EBUSY. @o
 * must have at least one owner. */
int xsk_owners_fault(const struct xsk_owners *o, const char *nic, struct fault *f);

#endif
