/* SPDX-License-Identifier: MIT */
/*
 * record.h - /run/wgxdp/IFACE.host: what a daemon has set on the host that the kernel does not
 * remove together with the interface. The record is written before anything of it is made, so that
 * after a `kill -9` the next owner of the name can undo all of it. JSON:
 *
 *   {"netns": 4026531840, "src_valid_mark": 0, "nft4": true, "nft6": true,
 *    "dns": "resolvconf", "dns_name": "tun.wg0",
 *    "rules": [{"family": 4, "priority": 32764, "table": 254, "fwmark": 0, "invert": false,
 *               "suppress": 0}]}
 */
#ifndef WGXDP_RECORD_H
#define WGXDP_RECORD_H

#include "host/dns.h"
#include "host/rules.h"
#include "util/fault.h"

struct record {
	uint64_t netns; /* of the daemon (io/netns.h) */
	bool nft4, nft6;
	bool src_valid_mark; /* the sysctl was 0 before we set it */
	struct dns dns;
	struct rules rules; /* ours alone */
};

bool record_is_empty(const struct record *r);

/* Replaces the record of @interface, or removes it if @r is empty. 0/-errno with @f. */
int record_write(const char *interface, const struct record *r, struct fault *f);

/* Parses the @len bytes at @text. 0, or -EINVAL: this is no record. */
int record_parse(struct record *r, const char *text, size_t len);

/* Undoes in the network namespace of the calling thread what @r says. What is gone already is
 * fine. Returns 0, or -errno with @f of the first step that failed, after all steps. */
int record_undo(const char *interface, const struct record *r, struct fault *f);

#endif
