/* SPDX-License-Identifier: MIT */
#include "host/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Routes --------------------------------------------------------------------------------------- */

static bool covers(const struct prefix *net, const struct prefix *p)
{
	unsigned whole = net->length / 8, rest = net->length % 8;

	if (net->family != p->family || net->length > p->length ||
	    memcmp(net->addr, p->addr, whole) != 0)
		return false;
	return !rest || (net->addr[whole] ^ p->addr[whole]) >> (8 - rest) == 0;
}

/* Returns true if the kernel adds a route to table main for the network of @address. The kernel
 * adds none for a single IPv4 address (/32) or for an IPv4 network that begins with 0
 * (fib_add_ifaddr()). */
static bool has_network(const struct prefix *address)
{
	struct prefix net = *address;

	prefix_mask(&net);
	return net.family == AF_INET6 || (net.length < 32 && net.addr[0]);
}

/* Returns true if a route that the kernel adds by itself covers @p. wg-quick(8) adds no route to
 * such a prefix. */
static bool is_connected(const struct conf *conf, const struct prefix *p)
{
	for (uint32_t i = 0; i < conf->address_count; i++)
		if (covers(&conf->addresses[i], p) && has_network(&conf->addresses[i]))
			return true;
	return false;
}

bool plan_wants_mark(const struct conf *conf)
{
	for (uint32_t i = 0; i < conf->peer_count && conf->table == CONF_TABLE_AUTO; i++)
		for (uint32_t j = 0; j < conf->peers[i].allowed_count; j++)
			if (!conf->peers[i].own && !conf->peers[i].allowed[j].length)
				return true;
	return false;
}

int plan_compare_routes(const void *a, const void *b)
{
	const struct plan_route *x = a, *y = b;
	int order = memcmp(&x->to, &y->to, sizeof(x->to));

	return order ? order : (x->table > y->table) - (x->table < y->table);
}

static void add_route(struct plan *p, const struct conf *conf, const struct prefix *to,
		      uint32_t mark)
{
	struct plan_route *r = &p->routes[p->route_count];

	*r = (struct plan_route){ *to, PLAN_TABLE_MAIN };
	if (conf->table == CONF_TABLE_NUMBER) {
		r->table = conf->table_id;
	} else if (!to->length) {
		r->table = p->mark = mark;
		p->default4 |= to->family == AF_INET;
		p->default6 |= to->family == AF_INET6;
	} else if (is_connected(conf, to)) {
		return;
	}
	p->route_count++;
}

static int make_routes(struct plan *p, const struct conf *conf, uint32_t mark)
{
	size_t n = 0, kept = 0;

	for (uint32_t i = 0; i < conf->peer_count; i++)
		n += conf->peers[i].own ? 0 : conf->peers[i].allowed_count;
	if (conf->table == CONF_TABLE_OFF || !n)
		return 0;
	p->routes = calloc(n, sizeof(*p->routes));
	if (!p->routes)
		return -ENOMEM;
	for (uint32_t i = 0; i < conf->peer_count; i++)
		for (uint32_t j = 0; j < conf->peers[i].allowed_count; j++)
			if (!conf->peers[i].own)
				add_route(p, conf, &conf->peers[i].allowed[j], mark);
	qsort(p->routes, p->route_count, sizeof(*p->routes), plan_compare_routes);
	for (size_t i = 0; i < p->route_count; i++)
		if (!kept || plan_compare_routes(&p->routes[i], &p->routes[kept - 1]))
			p->routes[kept++] = p->routes[i];
	p->route_count = kept;
	return 0;
}

bool plan_has_route(const struct plan *p, const struct plan_route *route)
{
	return p->route_count &&
	       bsearch(route, p->routes, p->route_count, sizeof(*route), plan_compare_routes);
}

/* Addresses ------------------------------------------------------------------------------------ */

bool plan_has_address(const struct plan *p, const struct prefix *address)
{
	for (size_t i = 0; i < p->address_count; i++)
		if (!memcmp(&p->addresses[i], address, sizeof(*address)))
			return true;
	return false;
}

static int make_addresses(struct plan *p, const struct conf *conf)
{
	if (!conf->address_count)
		return 0;
	p->addresses = calloc(conf->address_count, sizeof(*p->addresses));
	if (!p->addresses)
		return -ENOMEM;
	for (uint32_t i = 0; i < conf->address_count; i++)
		if (!plan_has_address(p, &conf->addresses[i]))
			p->addresses[p->address_count++] = conf->addresses[i];
	return 0;
}

/* DNS ------------------------------------------------------------------------------------------ */

static int copy_list(struct conf_list *to, const struct conf_list *from)
{
	if (!from->count)
		return 0;
	to->items = calloc(from->count, sizeof(*to->items));
	if (!to->items)
		return -ENOMEM;
	for (; to->count < from->count; to->count++) {
		to->items[to->count] = strdup(from->items[to->count]);
		if (!to->items[to->count])
			return -ENOMEM;
	}
	return 0;
}

static void free_list(struct conf_list *list)
{
	for (uint32_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
}

static bool same_list(const struct conf_list *a, const struct conf_list *b)
{
	bool same = a->count == b->count;

	for (uint32_t i = 0; i < a->count && same; i++)
		same = !strcmp(a->items[i], b->items[i]);
	return same;
}

bool plan_same_dns(const struct plan *a, const struct plan *b)
{
	return same_list(&a->servers, &b->servers) && same_list(&a->search, &b->search);
}

/* The plan ------------------------------------------------------------------------------------- */

int plan_make(struct plan *p, const struct conf *conf, uint32_t mark)
{
	struct plan new = { .mtu = conf->mtu };
	int err = make_addresses(&new, conf);

	if (!err)
		err = make_routes(&new, conf, mark);
	if (!err)
		err = copy_list(&new.servers, &conf->dns_servers);
	/* wg-quick(8) ignores search domains if there is no server. */
	if (!err && new.servers.count)
		err = copy_list(&new.search, &conf->dns_search);
	if (err) {
		plan_done(&new);
		return err;
	}
	*p = new;
	return 0;
}

void plan_done(struct plan *p)
{
	free(p->addresses);
	free(p->routes);
	free_list(&p->servers);
	free_list(&p->search);
	*p = (struct plan){ 0 };
}
