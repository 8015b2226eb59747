/* SPDX-License-Identifier: MIT */
/*
 * record.h - /run/wgxdp/IFACE.host: a record of the settings on the host that the kernel does not
 * remove together with the interface. The record is written before the settings are made, so that
 * the next daemon of this name can undo all of them after a `kill -9`. The record is JSON:
 *
 *   {"netns": 4026531840, "src_valid_mark": false, "nft4": true, "nft6": true,
 *    "dns": "resolvconf", "dns_name": "tun.wg0",
 *    "other_dns": "resolvectl", "other_dns_name": "wg0",
 *    "rules": [{"family": 4, "priority": 32764, "table": 254, "fwmark": 0, "invert": false,
 *               "suppress": 0}]}
 */
#ifndef WGXDP_RECORD_H
#define WGXDP_RECORD_H

#include "host/dns.h"
#include "host/rules.h"
#include "util/fault.h"

struct record {
	uint64_t netns; /* network namespace of the daemon (io/netns.h) */
	bool nft4, nft6;
	bool src_valid_mark; /* wgxdp changed the sysctl from 0 to 1 */
	struct dns dns;
	/* During a reload that changes the tool or the name: the other one. Daemons up to
	 * version 0.2.0 did not write it. */
	struct dns other_dns;
	struct rules rules; /* only the rules that wgxdp added */
};

bool record_is_empty(const struct record *r);

/* Returns the fwmark that lets packets pass our nftables tables. Returns 0 if @r has no such table,
 * or if its routing rules do not agree on one mark. */
uint32_t record_mark(const struct record *r);

/* Reads the settings that a killed daemon of @interface left in the network namespace of the caller
 * and that a new daemon can take over. Settings in another namespace are undone, as by
 * host_record_undo(). Returns 1 with @r filled in, 0 if there is nothing to take over, or -errno
 * with @f filled in if the record cannot be read, or if settings in another namespace could not be
 * undone. The caller holds the name lock. */
int record_take_over(const char *interface, struct record *r, struct fault *f);

/* Replaces the record of @interface, or removes it if @r is empty. Returns 0, or -errno with @f
 * filled in. If @f is NULL, logs the failure. */
int record_write(const char *interface, const struct record *r, struct fault *f);

/* Returns true if the record of another interface in this network namespace has src_valid_mark set.
 * The sysctl is then 1 because of wgxdp. */
bool record_others_valid_mark(const char *interface);

/* Parses the @len bytes at @text. Returns 0, or -EINVAL if the text is not a valid record. */
int record_parse(struct record *r, const char *text, size_t len);

/* Undoes the settings in @r, in the network namespace of the calling thread. Settings that are
 * already gone count as undone. Tries all steps, and then returns 0, or the -errno and @f of the
 * first step that failed. Afterwards @r holds the settings that could not be undone. A program that
 * manages DNS is run only once, even if it fails; but if the system lacked the resources to start
 * it, @r still holds the servers. */
int record_undo(const char *interface, struct record *r, struct fault *f);

/* Removes the tunnel's DNS servers from the host by running the program in @d. Clears @d even if
 * the program has failed, because another attempt may block for DNS_TIMEOUT_MS. Keeps @d if the
 * program could not be started for lack of resources. Returns 0, or -errno with @f filled in. */
int record_undo_dns(struct dns *d, struct fault *f);

#endif
