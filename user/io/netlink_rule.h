/* SPDX-License-Identifier: MIT */
/*
 * netlink_rule.h - rules of policy routing (ip-rule(8)), in the network namespace of the handle.
 * The kernel evaluates rules in the order of their priorities, the smallest first.
 */
#ifndef WGXDP_NETLINK_RULE_H
#define WGXDP_NETLINK_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netlink;

/* A rule, with only those properties that the rules of wgxdp can have. */
struct netlink_rule {
	uint8_t family; /* AF_INET or AF_INET6 */
	bool invert;	/* "not": the rule applies to packets that do not match its selector */
	bool other;	/* set by netlink_rules(): the rule has properties that are missing here */
	uint32_t priority;
	uint32_t table;		       /* routing table to look up */
	uint32_t fwmark;	       /* 0 = any packet */
	int32_t suppress_prefixlength; /* ignore routes of at most this prefix length; -1 = off */
	uint8_t protocol;	       /* origin, for example RTPROT_KERNEL; 0 = unknown */
};

/* Returns true if the two rules are equal. Does not compare their @protocol. */
bool netlink_rule_same(const struct netlink_rule *a, const struct netlink_rule *b);

/* Lists the rules of @family in the order of their priorities. The caller frees *@list. Returns 0
 * or -errno. */
int netlink_rules(struct netlink *nl, uint8_t family, struct netlink_rule **list, size_t *count);

/* Adds a rule. Returns 0, -EEXIST if the same rule exists, or another -errno. */
int netlink_add_rule(struct netlink *nl, const struct netlink_rule *rule);
/* Deletes a rule. Returns 0, -ENOENT if it does not exist, or another -errno. */
int netlink_delete_rule(struct netlink *nl, const struct netlink_rule *rule);

#endif
