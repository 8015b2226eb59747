/* SPDX-License-Identifier: MIT */
/* conf_message.c - makes the messages about a file: "file:line:column: value: what is wrong". */
#include <errno.h>

#include "conf/conf_private.h"

#define MESSAGES_MAX 100U /* messages of each severity */

struct conf_place conf_here(struct conf_parser *p)
{
	/* Continue counting at the place of the last message. Counting from the beginning of the
	 * line each time would be slow, because a line may have 100,000 prefixes. */
	if (p->counted > p->at) {
		p->counted = p->text;
		p->column = 1;
	}
	for (; p->counted < p->at; p->counted++)
		/* Count only the first byte of a UTF-8 character. */
		p->column += ((unsigned char)*p->counted & 0xc0) != 0x80;
	return (struct conf_place){ p->line, p->column };
}

void conf_at_line(struct conf_parser *p, const char *text)
{
	p->text = p->at = p->counted = text;
	p->column = 1;
}

static void format(struct fault *sentence, const struct conf_parser *p, struct conf_place place,
		   const char *value, const char *what)
{
	/* Do not show a value that may be a misplaced private key. */
	if (conf_may_hold_key(value))
		value = "...";
	fault(sentence, 0, "%s:%u:%u: %.100s: %s", p->c->path, place.line, place.column, value,
	      what);
	conf_printable(sentence->text);
}

/* Passes a sentence to the callback. conf_parse() has a callback only for warnings, so its first
 * error goes to @p->f. @count is the number of earlier sentences of this severity. */
static void report(const struct conf_parser *p, enum conf_severity severity, unsigned count,
		   struct fault *sentence)
{
	if (count == MESSAGES_MAX)
		fault(sentence, 0, "%s: further %s are not shown", p->c->path,
		      severity == CONF_FAULT ? "faults" : "warnings");
	if (count > MESSAGES_MAX)
		return;
	if (p->report)
		p->report(p->ctx, severity, sentence->text);
	else if (severity == CONF_WARNING && p->warn)
		p->warn(p->ctx, sentence->text);
	else if (severity == CONF_FAULT && p->f && !count)
		*p->f = *sentence;
}

int conf_bad_at(struct conf_parser *p, struct conf_place place, int err, const char *value,
		const char *what)
{
	struct fault sentence;

	format(&sentence, p, place, value, what);
	report(p, CONF_FAULT, p->faults++, &sentence);
	return err;
}

int conf_bad(struct conf_parser *p, int err, const char *value, const char *what)
{
	return conf_bad_at(p, conf_here(p), err, value, what);
}

void conf_warn(struct conf_parser *p, struct conf_place place, const char *value, const char *what)
{
	struct fault sentence;

	format(&sentence, p, place, value, what);
	report(p, CONF_WARNING, p->warnings++, &sentence);
}

int conf_no_memory(struct conf_parser *p)
{
	struct fault sentence;

	fault(&sentence, 0, "out of memory");
	report(p, CONF_FAULT, p->faults++, &sentence);
	return -ENOMEM;
}

bool conf_goes_on(const struct conf_parser *p, int err)
{
	return !err || (err == -EINVAL && p->report);
}
