/* SPDX-License-Identifier: MIT */
/*
 * chainlink.h - one XDP program on one NIC that others share: an entry of libxdp's dispatcher, which
 * calls one program after the other for as long as they say XDP_PASS.
 *
 *   NIC ──▶ xdp_dispatcher ──▶ theirs ──▶ wgxdp_ingress ──▶ theirs ──▶ the stack
 *
 * Unlike a bpf_link (xdplink.h) an entry outlives its owner, pinned by libxdp: the program then
 * passes everything, since nobody beats, and chainlink_clean() removes it.
 *
 * The dispatcher calls programs of type EXT. Where the kernel refuses these libxdp attaches the
 * program alone, silently, with nothing shared; here that is an error and leaves nothing.
 */
#ifndef WGXDP_CHAINLINK_H
#define WGXDP_CHAINLINK_H

#include "bpf/loader.h"

struct ingress_bpf;
struct chainlink;

/* Loads the ingress program anew, as an extension of the dispatcher on the NIC, with the maps of
 * @owner, and enters it there. Returns 0 or -errno with @f: -ENOTSUP (the kernel or libxdp cannot),
 * -EBUSY (a program without dispatcher sits there), and as loader_attach() says. */
int chainlink_open(struct chainlink **c, const struct ingress_bpf *owner, uint32_t ifindex,
		   const char *nic, enum loader_mode mode, bool *native, struct fault *f);
void chainlink_close(struct chainlink *c); /* NULL is fine */

/* Is it still in the dispatcher on its NIC? */
bool chainlink_alive(const struct chainlink *c);

/* Removes what a dead owner of @interface left in the dispatchers of this network namespace. Its
 * pins tell which program was its own: they must be there still. */
void chainlink_clean(const char *interface);

#endif
