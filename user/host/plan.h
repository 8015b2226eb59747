/* SPDX-License-Identifier: MIT */
/*
 * plan.h - the settings of the host's network that a config requests, as in wg-quick(8):
 *
 *   Address      ─▶ addresses of the interface
 *   MTU          ─▶ MTU of the interface; 0 = to be chosen (mtu.h)
 *   Table = auto ─▶ a route in table main for each allowed IP; for 0.0.0.0/0 and ::/0 a route in a
 *                   separate table, and rules (rules.h)
 *   Table = N    ─▶ a route in table N for each allowed IP
 *   DNS          ─▶ servers and search domains (dns.h)
 *
 * A plan contains no secrets and no pointers into the config. No function makes a system call.
 */
#ifndef WGXDP_PLAN_H
#define WGXDP_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "wg/prefix.h"

#define PLAN_TABLE_MAIN 254 /* RT_TABLE_MAIN */

struct plan_route {
	struct prefix to;
	uint32_t table;
};

struct plan {
	struct prefix *addresses; /* with their host bits; no duplicates */
	size_t address_count;
	struct plan_route *routes; /* sorted; no duplicates */
	size_t route_count;
	uint32_t mtu;
	uint32_t mark;		  /* the fwmark and table of the default routes; 0 = none */
	bool default4, default6;  /* 0.0.0.0/0 or ::/0 is an allowed IP, and Table = auto */
	struct conf_list servers; /* numeric addresses of the DNS servers */
	struct conf_list search;  /* search domains; none without servers */
};

/* Returns true if plan_make() needs a mark: if Table = auto, and 0.0.0.0/0 or ::/0 is an allowed
 * IP. The rules for such a default route distinguish packets by the mark. */
bool plan_wants_mark(const struct conf *conf);

/* Makes the plan of @conf. @mark is used only if plan_wants_mark() is true. Returns 0 with *@p
 * filled in; the caller releases it with plan_done(). Or returns -ENOMEM. */
int plan_make(struct plan *p, const struct conf *conf, uint32_t mark);
void plan_done(struct plan *p); /* does nothing if *p is all zero */

bool plan_has_address(const struct plan *p, const struct prefix *address);
bool plan_has_route(const struct plan *p, const struct plan_route *route);
/* Orders routes for qsort(3) and bsearch(3). */
int plan_compare_routes(const void *a, const void *b);

bool plan_same_dns(const struct plan *a, const struct plan *b);

#endif
