/* SPDX-License-Identifier: MIT */
/* addresses.h - the addresses and the MTU that an interface has now, for `save`. */
#ifndef WGXDP_ADDRESSES_H
#define WGXDP_ADDRESSES_H

#include "conf/conf.h"

/* Replaces the addresses of @conf by those of the interface and, if @conf has an MTU, the MTU, as
 * wg-quick(8) does. @conf keeps its values if the interface is not in this network namespace, or is
 * down, because the kernel removes IPv6 addresses then. Returns 0, or -errno with @conf
 * unchanged. */
int addresses_take(struct conf *conf, const char *interface);

#endif
