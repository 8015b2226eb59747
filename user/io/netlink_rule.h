/* SPDX-License-Identifier: MIT */
/*
 * netlink_rule.h - rules of policy routing (ip-rule(8)), in the network namespace of the handle.
 * Rules are consulted in the order of their priorities, the smallest first.
 */
#ifndef WGXDP_NETLINK_RULE_H
#define WGXDP_NETLINK_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netlink;

/* A value type. All that a rule of ours can have; @other tells of what it cannot. */
struct netlink_rule {
	uint8_t family; /* AF_INET or AF_INET6 */
	bool invert;	/* "not": the rule holds for packets that do not match */
	bool other;	/* from a dump only: it has a selector or an action that is not below */
	uint32_t priority;
	uint32_t table;		       /* to look up */
	uint32_t fwmark;	       /* 0: any packet */
	int32_t suppress_prefixlength; /* routes as short as this are not taken; -1: no limit */
	uint8_t protocol;	       /* who made it, RTPROT_KERNEL for example; 0: not said */
};

/* Are both the same but for their protocol? */
bool netlink_rule_same(const struct netlink_rule *a, const struct netlink_rule *b);

/* Lists the rules of @family in their order. The caller frees *@list. 0/-errno. */
int netlink_rules(struct netlink *nl, uint8_t family, struct netlink_rule **list, size_t *count);

/* -EEXIST if there is one like it. */
int netlink_add_rule(struct netlink *nl, const struct netlink_rule *rule);
/* -ENOENT if there is none. */
int netlink_delete_rule(struct netlink *nl, const struct netlink_rule *rule);

#endif
