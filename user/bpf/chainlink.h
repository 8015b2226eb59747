/* SPDX-License-Identifier: MIT */
/*
 * chainlink.h - attaches the XDP program to a NIC that other XDP programs use as well. The program
 * becomes an entry of libxdp's dispatcher, which calls the programs one after the other until one
 * of them does not return XDP_PASS.
 *
 *   NIC ──▶ xdp_dispatcher ──▶ theirs ──▶ wgxdp_ingress ──▶ theirs ──▶ the stack
 *
 * Unlike a bpf_link (xdplink.h), an entry outlives the daemon that owns it, because libxdp pins the
 * entry. A dead daemon writes no heartbeat. The program notices this and passes all packets, until
 * chainlink_clean() removes the program.
 *
 * The dispatcher needs programs of type EXT. If the kernel refuses these, libxdp silently attaches
 * the program without a dispatcher, so no other program can use the NIC. We treat this as an error
 * and detach the program.
 */
#ifndef WGXDP_CHAINLINK_H
#define WGXDP_CHAINLINK_H

#include "bpf/loader.h"

struct ingress_bpf;
struct chainlink;

/* Loads another copy of the ingress program, which uses the maps of @owner, and adds the copy to
 * the dispatcher on the NIC. Sets *@native to whether the dispatcher runs in native mode. The
 * caller closes *@c. Returns 0, or -errno with @f filled in: -ENOTSUP (the kernel or libxdp
 * lacks support), -EBUSY (a program without a dispatcher is attached), or an error of
 * loader_attach(). */
int chainlink_open(struct chainlink **c, const struct ingress_bpf *owner, uint32_t ifindex,
		   const char *nic, enum loader_mode mode, bool *native, struct fault *f);
void chainlink_close(struct chainlink *c); /* does nothing if c is NULL */

/* Returns true if the program is still in the dispatcher on its NIC. */
bool chainlink_alive(const struct chainlink *c);

/* Removes the programs that a dead daemon of @interface left in the dispatchers of this network
 * namespace. The programs are recognised by the maps that this daemon pinned, so call this before
 * the pins are removed. */
void chainlink_clean(const char *interface);

#endif
