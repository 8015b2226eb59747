/* SPDX-License-Identifier: MIT */
/* conf_text.c - the text of a line: white space, characters that are not allowed, and names of
 * peers. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "conf/conf_private.h"

char *conf_trim(char *text)
{
	size_t len;

	while (isspace((unsigned char)*text))
		text++;
	len = strlen(text);
	while (len && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
	return text;
}

void conf_squeeze(char *text)
{
	char *to = text;

	for (; *text; text++)
		if (!isspace((unsigned char)*text))
			*to++ = *text;
	*to = '\0';
}

/* Returns the length in bytes of the UTF-8 character at @text, 1 to 4, or 0 if the bytes are not a
 * valid character (RFC 3629 4). */
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

void conf_printable(char *text)
{
	for (size_t len; *text; text += len ? len : 1) {
		len = character((unsigned char *)text);
		if (!len || iscntrl((unsigned char)*text))
			*text = '?';
	}
}

bool conf_read_name(char *comment, char name[static PEER_NAME_LEN])
{
	size_t len;

	comment += strspn(comment, "# \t");
	if (strncasecmp(comment, "name", 4) != 0)
		return false;
	comment += 4 + strspn(comment + 4, " \t");
	if (*comment != '=')
		return false;
	comment = conf_trim(comment + 1);
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
	conf_printable(name);
	for (len = strlen(name); len && name[len - 1] == ' '; len--)
		name[len - 1] = '\0'; /* the length limit may have cut the name after a space */
	return true;
}

/* Characters that editors, word processors and web pages insert instead of ASCII characters. */
static const struct {
	const char *bytes, *name, *remedy;
} strays[] = {
	{ "\xef\xbb\xbf", "a byte order mark (BOM)", "save the file without it" },
	{ "\xc2\xa0", "a no-break space (U+00A0)", "type an ordinary space instead" },
	{ "\xe2\x80\xaf", "a no-break space (U+202F)", "type an ordinary space instead" },
	{ "\xe2\x80\x8b", "a zero-width space (U+200B)", "remove it" },
	{ "\xe3\x80\x80", "an ideographic space (U+3000)", "type an ordinary space instead" },
	{ "\xe2\x80\x9c", "a quotation mark", "write the value without it" },
	{ "\xe2\x80\x9d", "a quotation mark", "write the value without it" },
	{ "\xe2\x80\x98", "a quotation mark", "write the value without it" },
	{ "\xe2\x80\x99", "a quotation mark", "write the value without it" },
	{ "\xe2\x80\x90", "a hyphen (U+2010)", "type '-' instead" },
	{ "\xe2\x80\x91", "a hyphen (U+2011)", "type '-' instead" },
	{ "\xe2\x80\x93", "a dash (U+2013)", "type '-' instead" },
	{ "\xe2\x80\x94", "a dash (U+2014)", "type '-' instead" },
	{ "\xe2\x88\x92", "a minus sign (U+2212)", "type '-' instead" },
	{ "\xef\xbc\x9a", "a full-width colon (U+FF1A)", "type ':' instead" },
	{ "\xef\xbc\x8c", "a full-width comma (U+FF0C)", "type ',' instead" },
	{ "\xef\xbc\x9d", "a full-width equals sign (U+FF1D)", "type '=' instead" },
};

/* Returns the code point of the character of @len bytes at @at. */
static uint32_t code_point(const char *at, size_t len)
{
	uint32_t code = (unsigned char)*at & (0xffU >> (len + 1));

	for (size_t i = 1; i < len; i++)
		code = code << 6 | ((unsigned char)at[i] & 0x3f);
	return code;
}

/* Returns true if the character is invisible: control characters, the soft hyphen, spaces,
 * direction marks, line separators, joiners, fillers, variation selectors and tags. A message must
 * name such a character, because a value that contains it looks right. */
static bool is_invisible(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x80, 0xa0 },	    { 0xad, 0xad },	  { 0x34f, 0x34f },   { 0x61c, 0x61c },
		{ 0x115f, 0x1160 }, { 0x1680, 0x1680 },	  { 0x17b4, 0x17b5 }, { 0x180b, 0x180f },
		{ 0x2000, 0x200f }, { 0x2028, 0x202f },	  { 0x205f, 0x206f }, { 0x2800, 0x2800 },
		{ 0x3000, 0x3000 }, { 0x3164, 0x3164 },	  { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff },
		{ 0xffa0, 0xffa0 }, { 0xe0000, 0xe0fff },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

/* Returns true if the character of @len bytes at @at is in strays[] or invisible. @what then names
 * the character and the remedy. */
static bool is_stray(const char *at, size_t len, char *what, size_t room)
{
	uint32_t code = code_point(at, len);

	for (size_t i = 0; i < sizeof(strays) / sizeof(strays[0]); i++)
		if (len == strlen(strays[i].bytes) && !memcmp(at, strays[i].bytes, len)) {
			snprintf(what, room, "this is %s; %s", strays[i].name, strays[i].remedy);
			return true;
		}
	if (is_invisible(code))
		snprintf(what, room, "this is an invisible character (U+%04X); remove it", code);
	return is_invisible(code);
}

int conf_check_characters(struct conf_parser *p, const char *line, size_t n)
{
	unsigned place = 1;
	char where[32], what[96];

	for (const char *at = line; at < line + n; place++) {
		size_t len = character((const unsigned char *)at);

		if (len > 1 && is_stray(at, len, what, sizeof(what))) {
			p->at = at;
			snprintf(where, sizeof(where), "character %u", place);
			return conf_bad(p, -EINVAL, where, what);
		}
		at += len ? len : 1;
	}
	return 0;
}

void conf_blank_strays(char *line)
{
	char what[96];

	for (size_t len; *line; line += len ? len : 1) {
		len = character((const unsigned char *)line);
		if (len > 1 && is_stray(line, len, what, sizeof(what)))
			memset(line, ' ', len);
	}
}

const char *conf_misquoted(const char *value)
{
	size_t len = strlen(value);

	if (*value == '"' || *value == '\'' || value[len - 1] == '"' || value[len - 1] == '\'')
		return "the value is in quotes; remove them";
	if (strchr(value, ';'))
		return "there is a ';'; a comment begins with '#', and ',' separates list items";
	return NULL;
}
