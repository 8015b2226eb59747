/* SPDX-License-Identifier: MIT */
/* addresses.h - the addresses and the MTU that an interface has now, for `save`. */
#ifndef WGXDP_ADDRESSES_H
#define WGXDP_ADDRESSES_H

#include "conf/conf.h"

/* Sets the addresses of @conf and, if @conf has an MTU, the MTU to those that the interface has, as
 * wg-quick(8) does. Changes nothing if the interface is in another network namespace. Changes
 * nothing either if the interface is down, because the kernel removes the IPv6 addresses of an
 * interface that goes down. Returns 0, or -errno with @conf unchanged. */
int addresses_take(struct conf *conf, const char *interface);

#endif
