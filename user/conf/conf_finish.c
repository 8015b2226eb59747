/* SPDX-License-Identifier: MIT */
/* conf_finish.c - finishes a config after its last line: fills in the allowed IPs of each peer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf_private.h"
#include "crypto/x25519.h"

#define IPV6_MTU_MIN 1280U /* RFC 8200 5 */

static void warn_moved(void *ctx, const struct settle_step *step)
{
	struct conf_parser *p = ctx;
	char text[PREFIX_TEXT_LEN];

	conf_warn(p, (struct conf_place){ step->line, step->column },
		  prefix_text(&step->prefix, text),
		  "another peer has this prefix in its AllowedIPs, too; the later peer gets the "
		  "prefix");
}

/* Builds each peer's list of allowed IPs. */
static int list_prefixes(struct conf_parser *p)
{
	struct conf *c = p->c;

	for (size_t i = 0; i < p->step_count; i++)
		c->peers[p->steps[i].peer].allowed_count += p->steps[i].kept;
	for (uint32_t i = 0; i < c->peer_count; i++) {
		c->peers[i].allowed = calloc(c->peers[i].allowed_count + 1, sizeof(struct prefix));
		if (!c->peers[i].allowed)
			return conf_no_memory(p);
		c->peers[i].allowed_count = 0;
	}
	for (size_t i = 0; i < p->step_count; i++) {
		struct conf_peer *peer = &c->peers[p->steps[i].peer];

		if (p->steps[i].kept)
			peer->allowed[peer->allowed_count++] = p->steps[i].prefix;
	}
	return 0;
}

const struct prefix *conf_ipv6(const struct conf *c)
{
	for (uint32_t i = 0; i < c->address_count; i++)
		if (c->addresses[i].family == AF_INET6)
			return &c->addresses[i];
	for (uint32_t i = 0; i < c->peer_count && c->table != CONF_TABLE_OFF; i++)
		for (uint32_t j = 0; j < c->peers[i].allowed_count; j++)
			if (c->peers[i].allowed[j].family == AF_INET6)
				return &c->peers[i].allowed[j];
	return NULL;
}

/* Refuses an MTU below 1280 if the file has an IPv6 prefix, because the kernel disables IPv6 on an
 * interface with such an MTU. */
static int check_mtu(struct conf_parser *p)
{
	const struct conf *c = p->c;
	const struct prefix *needs = conf_ipv6(c);
	char value[32], what[PREFIX_TEXT_LEN + 64], text[PREFIX_TEXT_LEN];

	if (!c->mtu || c->mtu >= IPV6_MTU_MIN || !needs)
		return 0;
	snprintf(value, sizeof(value), "MTU = %u", c->mtu);
	snprintf(what, sizeof(what), "IPv6 needs at least %u, and the file has the IPv6 prefix %s",
		 IPV6_MTU_MIN, prefix_text(needs, text));
	return conf_bad_at(p, p->mtu, -EINVAL, value, what);
}

int conf_finish(struct conf_parser *p)
{
	struct conf *c = p->c;
	uint8_t public[WIRE_KEY_LEN];
	bool *ignored = calloc(c->peer_count + 1, sizeof(*ignored));
	int err;

	if (!ignored)
		return conf_no_memory(p);
	if (c->has_private_key) {
		x25519_public(public, c->private_key);
		for (uint32_t i = 0; i < c->peer_count; i++)
			ignored[i] = c->peers[i].own =
				memcmp(c->peers[i].public_key, public, sizeof(public)) == 0;
	}
	err = settle(p->steps, p->step_count, ignored, warn_moved, p);
	free(ignored);
	if (err)
		return conf_no_memory(p);
	err = list_prefixes(p);
	if (!err && p->report)
		conf_lint(p);
	return err ? err : check_mtu(p);
}
