/* SPDX-License-Identifier: MIT */
/*
 * vmgenid.h - finds out that this host is a virtual machine that was restored or cloned. Its keys
 * and counters may then have been used before, or by another machine. A separate thread listens, so
 * that the workers know immediately even while the control thread is busy.
 */
#ifndef WGXDP_VMGENID_H
#define WGXDP_VMGENID_H

#include "path/suspend.h"
#include "util/loop.h"

struct vmgenid;

/* Begins to listen for the kernel's reports. When the kernel reports that this virtual machine was
 * restored or cloned, records this in @suspend, which is borrowed, and wakes the loop. Returns 0 or
 * -errno. */
int vmgenid_watch(struct vmgenid **v, struct loop *loop, struct suspend *suspend);
void vmgenid_unwatch(struct vmgenid *v); /* does nothing if @v is NULL */

#endif
