/* SPDX-License-Identifier: MIT */
#include "host/guard.h"

#include <arpa/inet.h> /* must come before linux/netfilter.h */
#include <errno.h>
#include <nftables/libnftables.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>

#include "io/netlink.h"
#include "util/log.h"

void guard_table(const char *interface, char table[static GUARD_TABLE_LEN])
{
	size_t n = (size_t)snprintf(table, GUARD_TABLE_LEN, "wgxdp-");

	for (const char *c = interface; *c && n < GUARD_TABLE_LEN - 4; c++)
		n += (size_t)snprintf(table + n, GUARD_TABLE_LEN - n,
				      *c == '=' || *c == '+' ? "/%02x" : "%c", (unsigned char)*c);
}

/* The commands ------------------------------------------------------------------------------ */

static const char *address_text(uint8_t family, const uint8_t *addr, char text[INET6_ADDRSTRLEN])
{
	return inet_ntop(family, addr, text, INET6_ADDRSTRLEN);
}

static void put_leak(struct buffer *b, const char *head, uint8_t family, uint32_t mark,
		     const struct guard_exit *e)
{
	const char *ip = family == AF_INET ? "ip" : "ip6";
	char text[PREFIX_TEXT_LEN];

	buffer_printf(b, "add rule %s leak meta mark != %u oifname \"%s\"", head, mark, e->nic);
	/* Without a gateway, the next hop of a packet is its destination, so the rule does not
	 * compare the next hop. */
	if (e->has_gateway)
		buffer_printf(b, " rt %s nexthop %s", ip, address_text(family, e->gateway, text));
	else
		buffer_printf(b, " %s daddr != %s", ip,
			      family == AF_INET ? "{ 224.0.0.0/3 }" : "ff00::/8");
	if (e->has_gateway)
		buffer_printf(b, " %s daddr != %s", ip, address_text(family, e->gateway, text));
	if (e->local_count)
		buffer_printf(b, " %s daddr != {", ip);
	for (size_t i = 0; i < e->local_count; i++)
		buffer_printf(b, "%s %s", i ? "," : "", prefix_text(&e->local[i], text));
	buffer_printf(b, "%s drop\n", e->local_count ? " }" : "");
}

void guard_text(struct buffer *b, const char *interface, const struct plan *plan, uint8_t family,
		const struct guard_exits *exits)
{
	const char *ip = family == AF_INET ? "ip" : "ip6";
	char table[GUARD_TABLE_LEN], head[GUARD_TABLE_LEN + 8], text[INET6_ADDRSTRLEN];

	guard_table(interface, table);
	snprintf(head, sizeof(head), "%s %s", ip, table);
	buffer_printf(b, "add table %s\ndelete table %s\nadd table %s\n", head, head, head);
	buffer_printf(b, "add chain %s preraw { type filter hook prerouting priority -300; }\n",
		      head);
	buffer_printf(b, "add chain %s premangle { type filter hook prerouting priority -150; }\n",
		      head);
	buffer_printf(b,
		      "add chain %s postmangle { type filter hook postrouting priority -150; }\n",
		      head);
	for (size_t i = 0; i < plan->address_count; i++)
		if (plan->addresses[i].family == family)
			buffer_printf(b,
				      "add rule %s preraw iifname != \"%s\" %s daddr %s "
				      "fib saddr type != local drop\n",
				      head, interface, ip,
				      address_text(family, plan->addresses[i].addr, text));
	buffer_printf(b, "add rule %s postmangle meta l4proto udp mark %u ct mark set mark\n", head,
		      plan->mark);
	buffer_printf(b, "add rule %s premangle meta l4proto udp meta mark set ct mark\n", head);
	if (!exits->count)
		return;
	/* The chain runs before the chains in which other programs change marks in postrouting, so
	 * it sees the mark by which the packet was routed. */
	buffer_printf(b, "add chain %s leak { type filter hook postrouting priority -300; }\n",
		      head);
	for (unsigned i = 0; i < exits->count; i++)
		put_leak(b, head, family, plan->mark, &exits->list[i]);
}

/* Exits ---------------------------------------------------------------------------------------- */

static bool same_hop(const struct netlink_table_route *a, const struct netlink_table_route *b)
{
	return a->ifindex == b->ifindex && a->has_gateway == b->has_gateway &&
	       !memcmp(a->gateway, b->gateway, sizeof(a->gateway));
}

static bool contains(const struct prefix *net, const struct prefix *p)
{
	struct prefix shorter = *p;

	if (net->length > p->length)
		return false;
	shorter.length = net->length;
	prefix_mask(&shorter);
	return !memcmp(net, &shorter, sizeof(shorter));
}

static int by_length(const void *a, const void *b)
{
	return ((const struct prefix *)a)->length - ((const struct prefix *)b)->length;
}

/* Removes prefixes that are contained in others, because elements of a set must not overlap. */
static void reduce(struct guard_exit *e)
{
	size_t kept = 0;

	qsort(e->local, e->local_count, sizeof(*e->local), by_length);
	for (size_t i = 0; i < e->local_count; i++) {
		bool covered = false;

		for (size_t k = 0; k < kept && !covered; k++)
			covered = contains(&e->local[k], &e->local[i]);
		if (!covered)
			e->local[kept++] = e->local[i];
	}
	e->local_count = kept;
}

static int add_exit(struct guard_exits *all, struct netlink *nl,
		    const struct netlink_table_route *hop, const struct netlink_table_route *routes,
		    size_t count)
{
	struct guard_exit *e = &all->list[all->count];
	struct netlink_link link;
	int err = netlink_link(nl, NULL, hop->ifindex, &link);

	if (err) /* the link and its routes have just been deleted */
		return 0;
	*e = (struct guard_exit){ .has_gateway = hop->has_gateway };
	memcpy(e->nic, link.name, sizeof(e->nic));
	memcpy(e->gateway, hop->gateway, sizeof(e->gateway));
	e->local = calloc(count, sizeof(*e->local));
	if (!e->local)
		return -ENOMEM;
	all->count++;
	for (size_t i = 0; i < count; i++)
		if (routes[i].to.length && routes[i].ifindex == hop->ifindex &&
		    (!hop->has_gateway || same_hop(&routes[i], hop))) {
			if (e->local_count == GUARD_LOCAL_MAX)
				return -E2BIG;
			e->local[e->local_count++] = routes[i].to;
		}
	reduce(e);
	return 0;
}

int guard_find_exits(struct guard_exits *e, struct netlink *nl, uint8_t family, uint32_t tunnel)
{
	struct netlink_table_route *routes;
	size_t count;
	int err = netlink_table_routes(nl, family, PLAN_TABLE_MAIN, &routes, &count);

	*e = (struct guard_exits){ .count = 0 };
	if (err)
		return err;
	for (size_t i = 0; i < count && !err; i++) {
		bool skip =
			routes[i].to.length || !routes[i].ifindex || routes[i].ifindex == tunnel;

		for (size_t k = 0; k < i && !skip; k++)
			skip = !routes[k].to.length && same_hop(&routes[k], &routes[i]);
		if (skip)
			continue;
		err = e->count < GUARD_EXITS_MAX ? add_exit(e, nl, &routes[i], routes, count)
						 : -E2BIG;
	}
	free(routes);
	if (err)
		guard_free_exits(e);
	return err;
}

void guard_free_exits(struct guard_exits *e)
{
	for (unsigned i = 0; i < e->count; i++)
		free(e->list[i].local);
	e->count = 0;
}

/* The kernel ----------------------------------------------------------------------------------- */

/* Runs the commands as one transaction. */
static int run(const char *commands, struct fault *f)
{
	struct netlink *attempt = netlink_open_netfilter();
	struct nft_ctx *nft;
	const char *said;
	int err = attempt ? 0 : -errno;

	/* nft_ctx_new() ends the process if it cannot open such a socket. */
	if (err)
		return fault(f, err, "cannot open a netlink socket for nftables: %s",
			     strerror(-err));
	netlink_close(attempt);
	nft = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!nft)
		return fault(f, -ENOMEM, "out of memory");
	nft_ctx_buffer_error(nft);
	nft_ctx_buffer_output(nft);
	if (nft_run_cmd_from_buffer(nft, commands)) {
		said = nft_ctx_get_error_buffer(nft);
		said = said ? strstr(said, "Error: ") : NULL;
		said = said ? said + strlen("Error: ") : "unknown error";
		err = fault(f, -EIO, "nftables: %.*s", (int)strcspn(said, "\n"), said);
	}
	nft_ctx_free(nft);
	return err;
}

static void put_delete(struct buffer *b, const char *family, const char *interface)
{
	char table[GUARD_TABLE_LEN];

	guard_table(interface, table);
	buffer_printf(b, "add table %s %s\ndelete table %s %s\n", family, table, family, table);
}

static int delete_family(const char *family, const char *interface, struct fault *f)
{
	struct buffer b = { 0 };
	int err;

	put_delete(&b, family, interface);
	buffer_append(&b, "", 1);
	err = b.failed ? -ENOMEM : run(b.data + b.at, f);
	buffer_done(&b);
	return err;
}

int guard_delete(const char *interface, bool v4, bool v6, struct fault *f)
{
	int err = v4 ? delete_family("ip", interface, f) : 0;
	int err6 = v6 ? delete_family("ip6", interface, f) : 0;

	return err ? err : err6;
}

static int put_family(struct buffer *b, struct netlink *nl, const struct guard_target *to,
		      uint8_t family)
{
	struct guard_exits exits = { .count = 0 };
	int foreign = rules_foreign(to->rules, nl, family), err = 0;

	if (foreign < 0)
		return foreign;
	if (!foreign)
		err = guard_find_exits(&exits, nl, family, to->tunnel);
	if (err == -E2BIG)
		err = 0;
	if (!err)
		guard_text(b, to->interface, to->plan, family, &exits);
	guard_free_exits(&exits);
	return err;
}

static int put_all(struct buffer *b, const struct guard *g, struct netlink *nl,
		   const struct guard_target *to)
{
	int err = 0;

	if (to->plan->default4)
		err = put_family(b, nl, to, AF_INET);
	else if (g->v4)
		put_delete(b, "ip", to->interface);
	if (err)
		return err;
	if (to->plan->default6)
		err = put_family(b, nl, to, AF_INET6);
	else if (g->v6)
		put_delete(b, "ip6", to->interface);
	buffer_append(b, "", 1);
	return !err && b->failed ? -ENOMEM : err;
}

int guard_set(struct guard *g, struct netlink *nl, const struct guard_target *to, bool damaged,
	      struct fault *f)
{
	struct buffer b = { 0 };
	int err = put_all(&b, g, nl, to);

	if (err) {
		fault(f, err, "cannot read the host's routes and rules: %s", strerror(-err));
		goto out;
	}
	if (!damaged && !strcmp(g->text ?: "", b.data + b.at))
		goto out;
	err = run(b.data + b.at, f);
	if (err)
		goto out;
	free(g->text);
	*g = (struct guard){ strdup(b.data + b.at), to->plan->default4, to->plan->default6 };
	err = 1;
out:
	buffer_done(&b);
	return err;
}

uint32_t guard_families(const struct guard *g)
{
	return (g->v4 ? 1U << NFPROTO_IPV4 : 0) | (g->v6 ? 1U << NFPROTO_IPV6 : 0);
}

void guard_done(struct guard *g)
{
	free(g->text);
	*g = (struct guard){ .text = NULL };
}
