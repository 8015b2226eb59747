/* SPDX-License-Identifier: MIT */
/* conf_lint.c - warns of settings that a config file may contain but that are rarely intended. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/conf_private.h"
#include "conf/keytext.h"
#include "crypto/wipe.h"

/* Keys ---------------------------------------------------------------------------------------- */

/* Private and public keys from published documents, which people copy. */
static const struct {
	const char *key, *where;
} published[] = {
	{ "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=", "wireguard.com and wg(8)" },
	{ "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=", "wireguard.com and wg(8)" },
	{ "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=", "wireguard.com and wg(8)" },
	{ "gN65BkIKy1eCE9pP1wdc8ROUtkHLF2PfAqYdyYBz6EA=", "wireguard.com and wg(8)" },
	{ "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=", "wireguard.com" },
	{ "oJpRt2Oq27vIB5/UVb7BRqCwad2YMReQgH5tlxz8YmI=", "the unofficial documentation" },
	{ "YCW76edD4W7nZrPbWZxPZhcs32CsBLIi1sEhsV/sgk8=", "the unofficial documentation" },
	{ "0LQzGeQ4CLWln00nM6JAGq4axbXvElQY9yMVdNtOnVQ=", "wgxdp.conf(5)" },
	{ "kLim6rcBdapjRTbpcIzBziFHq0NHE3XkPllxvyNKnkk=", "configs/pair-a.conf of wgxdp" },
	{ "KDLy5qP4h+AhdCD4oHc6AoLbPq2ThtmUSGATkEsZ72I=", "configs/pair-b.conf of wgxdp" },
	{ "ugY0c5WVQjT/A/XAqj0w+loCjd3cn3FsLLr0l183huk=", "configs/pair-a.conf of wgxdp" },
};

const char *conf_published(const uint8_t key[static WIRE_KEY_LEN])
{
	uint8_t known[WIRE_KEY_LEN];

	for (size_t i = 0; i < sizeof(published) / sizeof(published[0]); i++)
		if (keytext_from_base64(known, published[i].key, KEYTEXT_BASE64_LEN) &&
		    equal_ct(known, key, WIRE_KEY_LEN))
			return published[i].where;
	return NULL;
}

bool conf_may_hold_key(const char *value)
{
	unsigned run = 0, longest = 0;

	for (; *value; value++) {
		run = isalnum((unsigned char)*value) || strchr("+/=", *value) ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	return longest >= KEYTEXT_BASE64_LEN - 4;
}

bool conf_is_placeholder(const char *value)
{
	static const char *const words[] = { "private", "public", "preshared", "your", "key" };
	static const char *const brackets[] = { "<>", "{}", "[]", "$}", "%%" };
	size_t len = strlen(value);
	unsigned found = 0;

	if (conf_may_hold_key(value))
		return false;
	for (size_t i = 0; i < sizeof(brackets) / sizeof(brackets[0]); i++)
		if (*value == brackets[i][0] && value[len - 1] == brackets[i][1])
			return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		found += strcasestr(value, words[i]) != NULL;
	return found >= 2;
}

/* Overlaps ------------------------------------------------------------------------------------ */

static bool covers(const struct prefix *net, const struct prefix *p)
{
	struct prefix cut = *p;

	if (net->family != p->family || net->length > p->length)
		return false;
	cut.length = net->length;
	prefix_mask(&cut);
	return memcmp(cut.addr, net->addr, sizeof(cut.addr)) == 0;
}

/* Sorts a prefix directly before the prefixes that it covers. */
static int compare_steps(const void *left, const void *right)
{
	const struct prefix *a = &(*(struct settle_step *const *)left)->prefix;
	const struct prefix *b = &(*(struct settle_step *const *)right)->prefix;
	int order = a->family - b->family;

	if (!order)
		order = memcmp(a->addr, b->addr, sizeof(a->addr));
	return order ? order : a->length - b->length;
}

static void warn_overlap(struct conf_parser *p, const struct settle_step *net,
			 const struct settle_step *inner)
{
	char value[PREFIX_TEXT_LEN], text[PREFIX_TEXT_LEN], sentence[PREFIX_TEXT_LEN + 128];

	snprintf(sentence, sizeof(sentence),
		 "it contains %s of the peer in line %u, whose longer prefix takes precedence",
		 prefix_text(&inner->prefix, text), p->c->peers[inner->peer].line);
	conf_warn(p, (struct conf_place){ net->line, net->column },
		  prefix_text(&net->prefix, value), sentence);
}

/* Warns once for each prefix that contains a prefix of another peer. Does not warn of a default
 * route, which is meant to contain everything. @sorted: the @n steps (settle.h) that gave
 * their prefix to the peer that finally has it (kept = true). */
static void find_overlaps(struct conf_parser *p, struct settle_step **sorted, size_t n)
{
	struct settle_step *nets[130]; /* each contains the next: at most 129 lengths, 0 to 128 */
	bool told[130];
	size_t depth = 0;

	qsort(sorted, n, sizeof(struct settle_step *), compare_steps);
	for (size_t i = 0; i < n; i++) {
		while (depth && !covers(&nets[depth - 1]->prefix, &sorted[i]->prefix))
			depth--;
		for (size_t j = 0; j < depth; j++) {
			if (told[j] || nets[j]->peer == sorted[i]->peer || !nets[j]->prefix.length)
				continue;
			warn_overlap(p, nets[j], sorted[i]);
			told[j] = true;
		}
		told[depth] = false;
		nets[depth++] = sorted[i];
	}
}

static void warn_overlaps(struct conf_parser *p)
{
	struct settle_step **sorted = calloc(p->step_count + 1, sizeof(struct settle_step *));
	size_t n = 0;

	if (!sorted)
		return;
	for (size_t i = 0; i < p->step_count; i++)
		if (p->steps[i].kept)
			sorted[n++] = &p->steps[i];
	find_overlaps(p, sorted, n);
	free(sorted);
}

/* The interface and its peers ------------------------------------------------------------------ */

/* Returns true if a hook contains @what, the name of a setting, and so may change this setting, for
 * example by `wg set %i private-key ...`. */
static bool hook_sets(const struct conf *c, const char *what)
{
	for (unsigned i = 0; i < CONF_HOOK_COUNT; i++)
		for (uint32_t j = 0; j < c->hooks[i].count; j++)
			if (strstr(c->hooks[i].items[j], what))
				return true;
	return false;
}

static void warn_peers(struct conf_parser *p)
{
	const struct conf *c = p->c;
	bool endpoint = false, others = false;

	for (uint32_t i = 0; i < c->peer_count; i++) {
		const struct conf_peer *peer = &c->peers[i];

		endpoint |= peer->host && !peer->own;
		others |= !peer->own;
		if (peer->own)
			conf_warn(p, (struct conf_place){ peer->line, 1 },
				  peer->name[0] ? peer->name : "[Peer]",
				  "its PublicKey is that of this host, so the peer is skipped");
	}
	if (!p->faults && others && !endpoint && !c->listen_port && !hook_sets(c, "listen-port") &&
	    !hook_sets(c, "endpoint"))
		conf_warn(p, p->interface.line ? p->interface : (struct conf_place){ 1, 1 },
			  "[Interface]",
			  "there is no ListenPort, and no peer has an Endpoint, so neither side "
			  "can reach the other; add a ListenPort or an Endpoint");
}

void conf_lint(struct conf_parser *p)
{
	const struct conf_place top = { 1, 1 };

	if (!p->settings && !p->faults) {
		conf_warn(p, top, "[Interface]", "the file is empty: it sets nothing");
		return;
	}
	if (!p->c->has_private_key && !p->faults && !hook_sets(p->c, "private-key"))
		conf_warn(p, p->interface.line ? p->interface : top, "[Interface]",
			  "there is no PrivateKey, so the tunnel waits for `wg set`");
	warn_peers(p);
	warn_overlaps(p);
}
