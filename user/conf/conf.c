/* SPDX-License-Identifier: MIT */
/*
 * conf.c - reads a config line by line. A line becomes a setting of the block at hand. When a block
 * ends, it is merged into the peer with its public key. At the end of the file settle.c decides
 * which peer has which prefix.
 *
 *   line ─▶ key = value ─▶ conf_values.c ─▶ parser.block ─▶ conf_blocks.c ─▶ conf.peers[]
 *                                                             └─▶ steps ─▶ settle ─▶ peer.allowed
 *
 * White space is ignored, even within a key or a value, because wg(8) ignores it.
 */
#include "conf/conf.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/conf_private.h"
#include "conf/valuetext.h"
#include "crypto/wipe.h"
#include "crypto/x25519.h"

#define WARNINGS_MAX 100
#define IPV6_MTU_MIN 1280U /* RFC 8200 5 */
#define KEY_SHOWN_MAX 32   /* a longer word may be a key in the wrong place, so it is not shown */

/* Messages ----------------------------------------------------------------------------------- */

/* "file:line: value: what" */
int conf_bad(struct conf_parser *p, int err, const char *value, const char *what)
{
	fault(p->f, err, "%s:%u: %.100s: %s", p->c->path, p->line, value, what);
	if (p->f)
		conf_printable(p->f->text);
	return err;
}

int conf_no_memory(struct conf_parser *p)
{
	return fault(p->f, -ENOMEM, "%s: out of memory", p->c->path);
}

void conf_warn(struct conf_parser *p, unsigned line, const char *value, const char *what)
{
	struct fault sentence;

	if (!p->warn || p->warnings > WARNINGS_MAX)
		return;
	if (p->warnings++ == WARNINGS_MAX)
		fault(&sentence, 0, "%s: more warnings are not shown", p->c->path);
	else
		fault(&sentence, 0, "%s:%u: %.100s: %s", p->c->path, line, value, what);
	conf_printable(sentence.text);
	p->warn(p->warn_ctx, sentence.text);
}

/* Names -------------------------------------------------------------------------------------- */

/* A "# Name =" line belongs to the new peer if [Peer] follows, else to the peer in whose block it
 * stands. So it waits for the next line. */
static void give_name(struct conf_parser *p)
{
	if (p->section == CONF_PEER && p->name[0] && !p->block.name[0])
		memcpy(p->block.name, p->name, sizeof(p->name));
	p->name[0] = '\0';
}

/* Lines -------------------------------------------------------------------------------------- */

static void warn_second_interface(struct conf_parser *p)
{
	char sentence[128];

	snprintf(sentence, sizeof(sentence),
		 "this is a second [Interface], after that of line %u; its settings are added, and "
		 "replace those given before",
		 p->interface_line);
	conf_warn(p, p->line, "[Interface]", sentence);
	p->second_interface = true;
}

static int read_section(struct conf_parser *p, const char *line)
{
	int err;

	if (strcasecmp(line, "[Interface]") == 0) {
		give_name(p);
		if (p->interface_line)
			warn_second_interface(p);
		p->interface_line = p->line;
		err = conf_end_block(p);
		p->section = CONF_INTERFACE;
		return err;
	}
	if (strcasecmp(line, "[Peer]") != 0)
		return conf_bad(p, -EINVAL, strlen(line) > KEY_SHOWN_MAX ? "[...]" : line,
				"there are only [Interface] and [Peer]");
	err = conf_end_block(p);
	if (err)
		return err;
	conf_begin_block(p);
	p->section = CONF_PEER;
	return 0;
}

static int unknown_key(struct conf_parser *p, const char *name)
{
	const char *meant;
	char what[64];

	if (strlen(name) > KEY_SHOWN_MAX)
		return conf_bad(p, -EINVAL, "...", "there is no such key; a line is Key = Value");
	if (conf_key(name, CONF_PEER))
		return conf_bad(
			p, -EINVAL, name,
			p->section == CONF_INTERFACE && p->second_interface
				? "belongs below a [Peer], but this is the second [Interface]"
				: "belongs below a [Peer]");
	if (conf_key(name, CONF_INTERFACE))
		return conf_bad(p, -EINVAL, name, "belongs below [Interface]");
	meant = conf_closest_key(name);
	if (!meant)
		return conf_bad(p, -EINVAL, name, "there is no such key; see wgxdp.conf(5)");
	snprintf(what, sizeof(what), "there is no such key; did you mean %s?", meant);
	return conf_bad(p, -EINVAL, name, what);
}

static int read_setting(struct conf_parser *p, char *line)
{
	char *value = strchr(line, '=');
	const struct conf_key *key;
	const char *what;

	if (!value)
		return conf_bad(p, -EINVAL, strlen(line) > KEY_SHOWN_MAX ? "..." : line,
				*line == ';' ? "a comment begins with '#', not with ';'"
					     : "there is no '='; a line is Key = Value");
	*value++ = '\0';
	conf_squeeze(line);
	value = conf_trim(value);
	key = conf_key(line, p->section);
	if (!key)
		return unknown_key(p, line);
	p->key = key->name;
	give_name(p);
	if (key->command)
		return *value ? key->set(p, value) : 0;
	if (!key->words)
		conf_squeeze(value);
	if (!*value && !key->may_be_empty && !key->resets)
		return conf_bad(p, -EINVAL, key->name, "the value is missing");
	what = *value ? conf_misquoted(value) : NULL;
	if (what)
		return conf_bad(p, -EINVAL, key->name, what);
	return *value || key->resets ? key->set(p, value) : 0;
}

/* How much of @line must consist of plain characters: a command may have any. */
static size_t plain_length(const char *line, enum conf_section section)
{
	size_t len = strcspn(line, "=");
	const struct conf_key *key;
	char name[KEY_SHOWN_MAX];

	if (!line[len] || len >= sizeof(name))
		return strlen(line);
	memcpy(name, line, len);
	name[len] = '\0';
	conf_squeeze(name);
	key = conf_key(name, section);
	return key && key->command ? len : strlen(line);
}

/* Reads a line without its newline, and overwrites it. */
static int read_line(struct conf_parser *p, char *line)
{
	char *comment = strchr(line, '#'), name[PEER_NAME_LEN];
	bool named = comment && conf_read_name(comment, name);
	int err = 0;

	if (comment)
		*comment = '\0';
	err = conf_check_characters(p, line, plain_length(line, p->section));
	if (err)
		return err;
	line = conf_trim(line);
	if (*line == '[') {
		conf_squeeze(line);
		err = read_section(p, line);
	} else if (*line) {
		err = read_setting(p, line);
	} else if (!comment && p->name_below) {
		give_name(p); /* the empty line sets the name apart from a following [Peer] */
	}
	if (named) {
		memcpy(p->name, name, sizeof(name));
		p->name_below = p->below && p->section == CONF_PEER;
		if (*line)
			give_name(p);
	} else if (*line || !comment) {
		p->name_below = false;
	}
	p->below = *line;
	return err;
}

/* The end ------------------------------------------------------------------------------------ */

static void warn_moved(void *ctx, const struct settle_step *step)
{
	struct conf_parser *p = ctx;
	char text[PREFIX_TEXT_LEN];

	conf_warn(p, step->line, prefix_text(&step->prefix, text),
		  "another peer has it in its allowed IPs, too; the later peer gets it");
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

/* Below an MTU of 1280 the kernel takes IPv6 off an interface. */
static int check_mtu(struct conf_parser *p)
{
	const struct conf *c = p->c;
	const struct prefix *needs = NULL;
	char value[32], what[PREFIX_TEXT_LEN + 64], text[PREFIX_TEXT_LEN];

	if (!c->mtu || c->mtu >= IPV6_MTU_MIN)
		return 0;
	for (uint32_t i = 0; i < c->address_count; i++)
		if (c->addresses[i].family == AF_INET6)
			needs = &c->addresses[i];
	for (uint32_t i = 0; i < c->peer_count && c->table != CONF_TABLE_OFF; i++)
		for (uint32_t j = 0; j < c->peers[i].allowed_count; j++)
			if (c->peers[i].allowed[j].family == AF_INET6)
				needs = &c->peers[i].allowed[j];
	if (!needs)
		return 0;
	p->line = p->mtu_line;
	snprintf(value, sizeof(value), "MTU = %u", c->mtu);
	snprintf(what, sizeof(what), "IPv6 needs at least %u, and there is %s", IPV6_MTU_MIN,
		 prefix_text(needs, text));
	return conf_bad(p, -EINVAL, value, what);
}

static int finish(struct conf_parser *p)
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
	return err ? err : check_mtu(p);
}

static int read_lines(struct conf_parser *p, char *text, size_t len)
{
	char *end = text + len, *next;
	int err = 0;

	if (len >= 2 && (!memcmp(text, "\xff\xfe", 2) || !memcmp(text, "\xfe\xff", 2)))
		return fault(p->f, -EINVAL, "%s:1: this file is in UTF-16; save it as UTF-8",
			     p->c->path);
	for (; text < end && !err; text = next) {
		next = memchr(text, '\n', (size_t)(end - text));
		next = next ? next : end;
		*next++ = '\0';
		p->line++;
		if (text + strlen(text) + 1 != next)
			err = fault(p->f, -EINVAL,
				    "%s:%u: there is a NUL byte; this is no config file in UTF-8",
				    p->c->path, p->line);
		else
			err = read_line(p, text);
	}
	if (err)
		return err;
	give_name(p);
	err = conf_end_block(p);
	p->section = CONF_NOWHERE;
	return err;
}

int conf_parse(struct conf *c, const char *text, size_t len, const char *path, conf_warn_fn warn,
	       void *ctx, struct fault *f)
{
	struct conf out = { .path = strdup(path) };
	struct conf_parser p = { .c = &out, .warn = warn, .warn_ctx = ctx, .f = f };
	char *copy = malloc(len + 1);
	int err;

	if (!copy || !out.path) {
		err = fault(f, -ENOMEM, "%s: out of memory", path);
		goto out;
	}
	memcpy(copy, text, len);
	copy[len] = '\0';
	err = read_lines(&p, copy, len);
	wipe(copy, len);
	if (!err)
		err = finish(&p);
	if (!err)
		*c = out;
out:
	free(copy);
	tdestroy(p.by_key, free);
	free(p.steps);
	free(p.block.host);
	free(p.block.port);
	wipe(&p, sizeof(p));
	if (err)
		conf_done(&out);
	else
		wipe(&out, sizeof(out));
	return err;
}

static void free_list(struct conf_list *list)
{
	for (uint32_t i = 0; i < list->count; i++) {
		wipe(list->items[i], strlen(list->items[i])); /* a command may hold a key */
		free(list->items[i]);
	}
	free(list->items);
}

void conf_free_peers(struct conf *c)
{
	for (uint32_t i = 0; i < c->peer_count; i++) {
		free(c->peers[i].host);
		free(c->peers[i].port);
		free(c->peers[i].allowed);
	}
	if (c->peers)
		wipe(c->peers, c->peer_count * sizeof(*c->peers));
	free(c->peers);
	c->peers = NULL;
	c->peer_count = 0;
}

void conf_done(struct conf *c)
{
	for (unsigned i = 0; i < CONF_HOOK_COUNT; i++)
		free_list(&c->hooks[i]);
	free_list(&c->dns_servers);
	free_list(&c->dns_search);
	conf_free_peers(c);
	free(c->addresses);
	free(c->path);
	wipe(c, sizeof(*c));
}
