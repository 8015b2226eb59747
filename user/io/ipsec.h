/* SPDX-License-Identifier: MIT */
/*
 * ipsec.h - the IPsec policies (xfrm) of this network namespace for outgoing packets. Packets sent
 * by AF_XDP would bypass them. The control thread calls these functions.
 */
#ifndef WGXDP_IPSEC_H
#define WGXDP_IPSEC_H

#include <linux/types.h>
#include <stdbool.h>

#include "io/netlink.h"
#include "wg/endpoint.h"

struct ipsec_watch;

/* Reads the policies and begins to listen for changes. Returns NULL and sets errno on failure:
 * EPROTONOSUPPORT if the kernel has no IPsec. */
struct ipsec_watch *ipsec_open(void);
void ipsec_close(struct ipsec_watch *w); /* does nothing if w is NULL */

/* Returns the descriptor that becomes readable when a policy changes. */
int ipsec_fd(const struct ipsec_watch *w);

/* Reads and discards a bounded number of notifications. The caller then calls ipsec_read(). */
void ipsec_drain(struct ipsec_watch *w);

/* Reads all policies again. Returns 0. On failure, returns -errno and keeps the old policies; the
 * caller must then call ipsec_read() again later. */
int ipsec_read(struct ipsec_watch *w);

/* Returns true if the kernel would encrypt or refuse some outgoing packets. */
bool ipsec_any(const struct ipsec_watch *w);

/* Returns true if the kernel would encrypt or refuse a datagram of @flow from e->local to e->remote
 * on the link @ifindex. Returns false if @w is NULL. */
bool ipsec_applies(const struct ipsec_watch *w, const struct endpoint *e,
		   const struct netlink_flow *flow, uint32_t ifindex);

#endif
