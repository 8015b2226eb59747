/* SPDX-License-Identifier: MIT */
/*
 * ipsec.h - the IPsec policies (xfrm) of this network namespace for what leaves. AF_XDP bypasses
 * them. Control thread.
 */
#ifndef WGXDP_IPSEC_H
#define WGXDP_IPSEC_H

#include <linux/types.h>
#include <stdbool.h>

#include "io/netlink.h"
#include "wg/endpoint.h"

struct ipsec_watch;

/* Reads the policies and begins to listen to changes. NULL: see errno; -EPROTONOSUPPORT if the
 * kernel has none. */
struct ipsec_watch *ipsec_open(void);
void ipsec_close(struct ipsec_watch *w); /* NULL is fine */

/* Becomes readable when a policy changes. */
int ipsec_fd(const struct ipsec_watch *w);

/* Reads the notifications that have arrived, and all policies again. 0/-errno: the old ones stay
 * then, and it is to be called again. */
int ipsec_read(struct ipsec_watch *w);

/* Would the kernel encrypt, or refuse, a datagram of @flow from e->local to e->remote that leaves
 * by the link @ifindex? @w may be NULL: no. */
bool ipsec_applies(const struct ipsec_watch *w, const struct endpoint *e,
		   const struct netlink_flow *flow, uint32_t ifindex);

#endif
