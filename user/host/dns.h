/* SPDX-License-Identifier: MIT */
/*
 * dns.h - sets DNS servers and search domains of the host while a tunnel is up, through the program
 * that manages them: resolvectl(1) if systemd-resolved runs, else resolvconf(8), which wg-quick(8)
 * uses. The servers have precedence over all others on the host. The caller waits for these
 * programs, at most DNS_TIMEOUT_MS for each.
 */
#ifndef WGXDP_DNS_H
#define WGXDP_DNS_H

#include <stdbool.h>

#include "host/plan.h"
#include "util/fault.h"

/* The timeout is short, because the control thread does nothing else while it waits. If a config
 * cannot be applied, and the previous config is restored, up to five programs run one after
 * another. */
#define DNS_TIMEOUT_MS 5000
#define DNS_NAME_LEN 64

enum dns_tool { DNS_NOTHING, DNS_RESOLVECTL, DNS_RESOLVCONF };

struct dns {
	enum dns_tool tool;
	char name[DNS_NAME_LEN]; /* how the tool names the interface: "wg0" or "tun.wg0" */
};

/* Returns true if dns_set() through @a replaces what was set through @b. */
bool dns_same(const struct dns *a, const struct dns *b);

/* Finds the tool. Returns 0, or -ENOENT with @f filled in if no tool is installed. */
int dns_choose(struct dns *d, const char *interface, struct fault *f);

/* Sets the servers and domains of @plan instead of those that were set before through @d. Returns
 * 0, or -errno with @f filled in. */
int dns_set(const struct dns *d, const struct plan *plan, struct fault *f);
/* Removes the servers and domains. Returns 0 (also if nothing was set), or -errno with @f filled
 * in. */
int dns_unset(const struct dns *d, struct fault *f);

#endif
