/* SPDX-License-Identifier: MIT */
/*
 * dns.h - DNS servers and search domains of the host while a tunnel is up, by the program that
 * manages them there: resolvectl(1) where systemd-resolved serves, else resolvconf(8), which
 * wg-quick(8) uses. The servers take precedence over all others on the host. The caller waits for
 * these programs, for at most DNS_TIMEOUT_MS each.
 */
#ifndef WGXDP_DNS_H
#define WGXDP_DNS_H

#include "host/plan.h"
#include "util/fault.h"

#define DNS_TIMEOUT_MS 10000
#define DNS_NAME_LEN 64

enum dns_tool { DNS_NOTHING, DNS_RESOLVECTL, DNS_RESOLVCONF };

struct dns {
	enum dns_tool tool;
	char name[DNS_NAME_LEN]; /* under which the tool knows the interface: "wg0", "tun.wg0" */
};

/* Finds the tool. Returns 0, or -ENOENT with @f if there is none. */
int dns_choose(struct dns *d, const char *interface, struct fault *f);

/* Sets the servers and domains of @plan, in place of those that @d has set before. 0/-errno with
 * @f. */
int dns_set(const struct dns *d, const struct plan *plan, struct fault *f);
/* 0 (also if nothing was set), or -errno with @f. */
int dns_unset(const struct dns *d, struct fault *f);

#endif
