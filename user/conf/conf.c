/* SPDX-License-Identifier: MIT */
/*
 * Lines become settings of a block; a block that ends is merged into the peer of its key; at the end
 * of the file settle.c says who has which prefix.
 *
 *   line ─▶ key = value ─▶ conf_values.c ─▶ parser.block ─▶ conf_blocks.c ─▶ conf.peers[]
 *                                                             └─▶ steps ─▶ settle ─▶ peer.allowed
 *
 * As for wg, white space counts for nothing, also within a key or a value.
 */
#include "conf/conf.h"

#include <ctype.h>
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
#define KEY_SHOWN_MAX 32 /* a longer unknown word may be a secret out of place */

/* Messages ----------------------------------------------------------------------------------- */

/* What a file says goes to a terminal: no control characters. */
static void printable(char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			*text = '?';
}

/* "file:line: value: what" */
int conf_bad(struct conf_parser *p, int err, const char *value, const char *what)
{
	fault(p->f, err, "%s:%u: %.100s: %s", p->c->path, p->line, value, what);
	if (p->f)
		printable(p->f->text);
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
	printable(sentence.text);
	p->warn(p->warn_ctx, sentence.text);
}

/* Text --------------------------------------------------------------------------------------- */

static char *trim(char *text)
{
	size_t len;

	while (isspace((unsigned char)*text))
		text++;
	len = strlen(text);
	while (len && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
	return text;
}

static void squeeze(char *text)
{
	char *to = text;

	for (; *text; text++)
		if (!isspace((unsigned char)*text))
			*to++ = *text;
	*to = '\0';
}

/* Names -------------------------------------------------------------------------------------- */

/* Length of the UTF-8 character at @text, 1 to 4, or 0: it is none. RFC 3629 4. */
static size_t character(const unsigned char *text)
{
	unsigned char c = text[0];
	size_t len = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < len; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	if ((c == 0xe0 && text[1] < 0xa0) || (c == 0xed && text[1] > 0x9f) ||
	    (c == 0xf0 && text[1] < 0x90) || (c == 0xf4 && text[1] > 0x8f))
		return 0;
	return len;
}

/* "# Name = value" -> @name, in UTF-8 whatever the file is in (it becomes JSON). False: it is another comment. */
static bool read_name(char *comment, char name[static PEER_NAME_LEN])
{
	size_t len;

	comment += strspn(comment, "# \t");
	if (strncasecmp(comment, "name", 4) != 0)
		return false;
	comment += 4 + strspn(comment + 4, " \t");
	if (*comment != '=')
		return false;
	comment = trim(comment + 1);
	memset(name, 0, PEER_NAME_LEN);
	for (size_t at = 0; *comment; comment += len) {
		len = character((unsigned char *)comment);
		if (at + (len ? len : 1) >= PEER_NAME_LEN)
			break;
		if (len)
			memcpy(name + at, comment, len);
		else
			name[at] = '?';
		len += !len;
		at += len;
	}
	printable(name);
	return true;
}

/* A name waits for what the next line shows: [Peer] takes it for the new peer. Else it is for the
 * peer whose block it stands in. */
static void give_name(struct conf_parser *p)
{
	if (p->section == CONF_PEER && p->name[0] && !p->block.name[0])
		memcpy(p->block.name, p->name, sizeof(p->name));
	p->name[0] = '\0';
}

/* Lines -------------------------------------------------------------------------------------- */

static int read_section(struct conf_parser *p, const char *line)
{
	int err;

	if (strcasecmp(line, "[Interface]") == 0) {
		give_name(p);
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
	if (strlen(name) > KEY_SHOWN_MAX)
		return conf_bad(p, -EINVAL, "...", "there is no such key; a line is Key = Value");
	if (conf_key(name, CONF_PEER))
		return conf_bad(p, -EINVAL, name, "belongs below a [Peer]");
	if (conf_key(name, CONF_INTERFACE))
		return conf_bad(p, -EINVAL, name, "belongs below [Interface]");
	return conf_bad(p, -EINVAL, name, "there is no such key; see wgxdp.conf(5)");
}

static int read_setting(struct conf_parser *p, char *line)
{
	char *value = strchr(line, '=');
	const struct conf_key *key;

	if (!value)
		return conf_bad(p, -EINVAL, strlen(line) > KEY_SHOWN_MAX ? "..." : line,
				"there is no '='; a line is Key = Value");
	*value++ = '\0';
	squeeze(line);
	value = trim(value);
	key = conf_key(line, p->section);
	if (!key)
		return unknown_key(p, line);
	p->key = key->name;
	if (!key->words)
		squeeze(value);
	if (!*value && strcmp(key->name, "AllowedIPs") != 0 && strcmp(key->name, "Address") != 0)
		return conf_bad(p, -EINVAL, key->name, "the value is missing");
	give_name(p);
	return key->set(p, value);
}

/* Reads a line without its newline; writes all over it. */
static int read_line(struct conf_parser *p, char *line)
{
	char *comment = strchr(line, '#'), name[PEER_NAME_LEN];
	bool named = comment && read_name(comment, name);
	int err = 0;

	if (comment)
		*comment = '\0';
	line = trim(line);
	if (*line == '[') {
		squeeze(line);
		err = read_section(p, line);
	} else if (*line) {
		err = read_setting(p, line);
	} else if (!comment && p->name_below) {
		give_name(p); /* it ends the block; the next [Peer] stands apart from it */
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
		  "another peer has it in its allowed IPs, too; it goes to the later one");
}

/* A default route needs a table and rules of its own. */
static int check_default(struct conf_parser *p, const struct settle_step *step)
{
	char text[PREFIX_TEXT_LEN];

	if (step->prefix.length || p->c->table == CONF_TABLE_OFF)
		return 0;
	p->line = step->line;
	return conf_bad(p, -ENOTSUP, prefix_text(&step->prefix, text),
			"a default route with Table = auto is not supported yet; write Table = off "
			"and add the route yourself");
}

/* Gives each peer its list of the prefixes that it keeps. */
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
		int err = p->steps[i].kept ? check_default(p, &p->steps[i]) : 0;

		if (err)
			return err;
		if (p->steps[i].kept)
			peer->allowed[peer->allowed_count++] = p->steps[i].prefix;
	}
	return 0;
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
	return err ? conf_no_memory(p) : list_prefixes(p);
}

static int read_lines(struct conf_parser *p, char *text, size_t len)
{
	char *end = text + len, *next;
	int err = 0;

	for (; text < end && !err; text = next) {
		next = memchr(text, '\n', (size_t)(end - text));
		next = next ? next : end;
		*next++ = '\0';
		p->line++;
		if (text + strlen(text) + 1 != next)
			err = fault(p->f, -EINVAL,
				    "%s:%u: there is a NUL byte; this is no config file",
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

void conf_done(struct conf *c)
{
	for (uint32_t i = 0; i < c->peer_count; i++) {
		free(c->peers[i].host);
		free(c->peers[i].port);
		free(c->peers[i].allowed);
	}
	if (c->peers)
		wipe(c->peers, c->peer_count * sizeof(*c->peers));
	free(c->peers);
	free(c->addresses);
	free(c->path);
	wipe(c, sizeof(*c));
}
