/* SPDX-License-Identifier: MIT */
/*
 * conf.c - reads a config file line by line. A line becomes a setting of the current block. When a
 * block ends, it is merged into the peer that has the block's public key. Each allowed IP becomes a
 * step, which gives a prefix to a peer or removes it. At the end of the file, settle.c derives from
 * the steps which peer has each prefix.
 *
 *   line ─▶ key = value ─▶ conf_values.c ─▶ parser.block ─▶ conf_blocks.c ─▶ conf.peers[]
 *                                                             └─▶ steps ─▶ settle ─▶ peer.allowed
 *
 * White space is ignored, even within a key or a value, because wg(8) ignores it. White space in
 * lists and commands is kept.
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
#include "util/closest.h"

#define KEY_SHOWN_MAX 32 /* messages do not show a longer word, because it may be a secret */

/* Names -------------------------------------------------------------------------------------- */

/* Gives the name from a "# Name =" line to the peer of the current block. A [Peer] line does not
 * call this function: there conf_begin_block() gives the name to the new peer. */
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
		 "this is a second [Interface], after the one in line %u; its settings replace "
		 "earlier ones of the same key",
		 p->interface.line);
	conf_warn(p, conf_here(p), "[Interface]", sentence);
	p->second_interface = true;
}

static int begin_section(struct conf_parser *p, enum conf_section section)
{
	int err;

	if (section == CONF_INTERFACE) {
		give_name(p);
		if (p->interface.line)
			warn_second_interface(p);
		p->interface = conf_here(p);
	}
	err = conf_end_block(p);
	if (section == CONF_PEER)
		conf_begin_block(p);
	p->section = section;
	return err;
}

static int unknown_section(struct conf_parser *p, const char *line)
{
	static const struct {
		const char *name;
		enum conf_section section;
	} sections[] = { { "[Interface]", CONF_INTERFACE }, { "[Peer]", CONF_PEER } };
	const size_t count = sizeof(sections) / sizeof(sections[0]);
	const char *meant = closest(line, sections, sizeof(sections[0]), count);
	enum conf_section section = CONF_UNKNOWN;
	char what[96] = "there are only [Interface] and [Peer]";
	int err;

	if (meant)
		snprintf(what, sizeof(what),
			 "there are only [Interface] and [Peer]; did you mean %s?", meant);
	err = conf_bad(p, -EINVAL, strlen(line) > KEY_SHOWN_MAX ? "[...]" : line, what);
	for (size_t i = 0; i < count; i++)
		if (meant == sections[i].name)
			section = sections[i].section;
	/* The lines of a misspelled section are read as if its name were correct; the lines of any
	 * other unknown section are skipped. */
	begin_section(p, section);
	return err;
}

static int read_section(struct conf_parser *p, const char *line)
{
	if (strcasecmp(line, "[Interface]") == 0)
		return begin_section(p, CONF_INTERFACE);
	if (strcasecmp(line, "[Peer]") == 0)
		return begin_section(p, CONF_PEER);
	return unknown_section(p, line);
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
	if (p->section == CONF_UNKNOWN)
		return 0;
	key = conf_key(line, p->section);
	if (!key)
		return unknown_key(p, line);
	p->key = key->name;
	p->saw_key |= key->is_public_key;
	p->at = *value ? value : p->at;
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

/* Returns how many bytes of @line conf_check_characters() must check: the whole line, or in a hook
 * only the part before the '=', because the command of a hook may contain any characters. */
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

/* Begins a section even if a stray character made its line invalid. Otherwise each line of the
 * section would cause another error. */
static void recover_section(struct conf_parser *p, char *line)
{
	conf_blank_strays(line);
	line = conf_trim(line);
	conf_squeeze(line);
	if (*line == '[' && line[strlen(line) - 1] == ']' && conf_goes_on(p, -EINVAL))
		read_section(p, line);
}

/* Reads a line without its newline. Overwrites @line. */
static int read_line(struct conf_parser *p, char *line)
{
	char *comment = strchr(line, '#'), name[PEER_NAME_LEN];
	bool named = comment && conf_read_name(comment, name);
	int err = 0;

	if (comment)
		*comment = '\0';
	err = conf_check_characters(p, line, plain_length(line, p->section));
	if (err) {
		recover_section(p, line);
		return err;
	}
	line = conf_trim(line);
	p->at = line;
	p->settings += *line != '\0';
	if (*line == '[') {
		conf_squeeze(line);
		err = read_section(p, line);
	} else if (*line) {
		err = read_setting(p, line);
	} else if (!comment && p->name_below) {
		give_name(p); /* an empty line separates the name from the next [Peer] */
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

static bool is_utf16(const char *text, size_t len)
{
	return len >= 2 && (!memcmp(text, "\xff\xfe", 2) || !memcmp(text, "\xfe\xff", 2));
}

/* Returns true if a carriage return is followed by more text. At the end of a line, a carriage
 * return is only a part of CRLF. */
static bool has_inner_return(const char *line)
{
	const char *at = line + strcspn(line, "\r");

	return at[strspn(at, "\r")];
}

/* Checks that the line from @text to @end has no NUL byte. At the first line, also refuses a file
 * (of @len bytes) that is in UTF-16, or whose lines end in carriage returns alone. Returns 0 or
 * -EINVAL. */
static int check_encoding(struct conf_parser *p, const char *text, size_t len, const char *end)
{
	if (p->line == 1 && is_utf16(text, len))
		return conf_bad(p, -EINVAL, "[...]", "this file is in UTF-16; save it as UTF-8");
	if (text + strlen(text) != end)
		return conf_bad(p, -EINVAL, "[...]",
				"there is a NUL byte; this is not a config file in UTF-8");
	if (p->line == 1 && text + len <= end + 1 && has_inner_return(text))
		return conf_bad(p, -EINVAL, "[...]",
				"this line ends in a carriage return alone, so the whole file is "
				"one line; save it with line feeds");
	return 0;
}

static int read_lines(struct conf_parser *p, char *text, size_t len)
{
	char *end = text + len, *next;
	int err = 0, one = 0;

	for (; text < end && conf_goes_on(p, one); text = next) {
		next = memchr(text, '\n', (size_t)(end - text));
		next = next ? next : end;
		*next++ = '\0';
		p->line++;
		conf_at_line(p, text);
		one = check_encoding(p, text, len, next - 1);
		if (one) {
			err = one;
			break; /* the rest of the file is not readable either */
		}
		one = read_line(p, text);
		err = one ? one : err;
	}
	if (!conf_goes_on(p, one))
		return one;
	give_name(p);
	one = conf_end_block(p);
	p->section = CONF_NOWHERE;
	return one ? one : err;
}

/* Parses the text into @p->c, and wipes @p. */
static int parse(struct conf_parser *p, const char *text, size_t len)
{
	char *copy = malloc(len + 1);
	int err, one;

	if (!copy || !p->c->path) {
		err = conf_no_memory(p);
		goto out;
	}
	memcpy(copy, text, len);
	copy[len] = '\0';
	err = read_lines(p, copy, len);
	conf_at_line(p, NULL);
	wipe(copy, len);
	if (conf_goes_on(p, err)) {
		one = conf_finish(p);
		err = one ? one : err;
	}
out:
	free(copy);
	tdestroy(p->by_key, free);
	free(p->steps);
	free(p->block.host);
	free(p->block.port);
	wipe(p, sizeof(*p));
	return err;
}

/* Moves @out to *@c, or frees @out if @err is not 0. */
static int hand_over(struct conf *c, struct conf *out, int err)
{
	if (err) {
		conf_done(out);
		return err;
	}
	*c = *out;
	wipe(out, sizeof(*out));
	return 0;
}

int conf_parse(struct conf *c, const char *text, size_t len, const char *path, conf_warn_fn warn,
	       void *ctx, struct fault *f)
{
	struct conf out = { .path = strdup(path) };
	struct conf_parser p = { .c = &out, .warn = warn, .ctx = ctx, .f = f };

	return hand_over(c, &out, parse(&p, text, len));
}

int conf_check(struct conf *c, const char *text, size_t len, const char *path,
	       conf_report_fn report, void *ctx)
{
	struct conf out = { .path = strdup(path) };
	struct conf_parser p = { .c = &out, .report = report, .ctx = ctx };

	return hand_over(c, &out, parse(&p, text, len));
}

static void free_list(struct conf_list *list)
{
	for (uint32_t i = 0; i < list->count; i++) {
		wipe(list->items[i], strlen(list->items[i])); /* a hook may contain a key */
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
