/* SPDX-License-Identifier: MIT */
/*
 * fuzz_conf.c - parses any text as a config file. The text is either refused with a message, or
 * yields values as conf.h promises. conf_check(), which continues after a fault, refuses the same
 * texts. If a text that conf_format() has written is parsed and written again, the text stays the
 * same. The input is also parsed as the daemon's reply to a UAPI get=1: the reply is either
 * refused, or yields values that can be written and parsed.
 */
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/conf_write.h"
#include "conf/valuetext.h"
#include "fuzz_main.h"

static void read_sentence(void *ctx, const char *sentence)
{
	size_t *total = ctx;

	*total += strlen(sentence);
}

static void count_finding(void *ctx, enum conf_severity severity, const char *sentence)
{
	unsigned *faults = ctx;

	if (!*sentence)
		abort();
	*faults += severity == CONF_FAULT;
}

static void check_peer(const struct conf *c, const struct conf_peer *p)
{
	if (memchr(p->name, '\0', sizeof(p->name)) == NULL || !p->host != !p->port)
		abort();
	for (uint32_t i = 0; i < p->allowed_count; i++) {
		struct prefix masked = p->allowed[i];

		if (p->own || prefix_mask(&masked))
			abort();
	}
	for (const struct conf_peer *q = c->peers; q != p; q++)
		if (memcmp(p->public_key, q->public_key, WIRE_KEY_LEN) == 0)
			abort();
}

/* Writes @c as text, parses this text, and writes the result. Both texts must be equal. */
static void check_written(const struct conf *c)
{
	struct buffer first = { 0 }, second = { 0 };
	struct conf again;

	conf_format(c, &first);
	if (conf_parse(&again, first.data, buffer_len(&first), "fuzz", NULL, NULL, NULL))
		abort();
	conf_format(&again, &second);
	if (buffer_len(&first) != buffer_len(&second) ||
	    memcmp(first.data, second.data, buffer_len(&first)) != 0)
		abort();
	conf_done(&again);
	buffer_done(&first);
	buffer_done(&second);
}

static void check_all_faults(const char *text, size_t size, int err)
{
	unsigned faults = 0;
	struct conf c;
	int all = conf_check(&c, text, size, "fuzz", count_finding, &faults);

	if (!all != !err || !all != !faults)
		abort();
	if (!all)
		conf_done(&c);
}

static void check_reply(const char *text, size_t size)
{
	struct conf c = { 0 };

	if (!conf_set_running(&c, text, size, NULL))
		check_written(&c);
	conf_done(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fault f = { "" };
	size_t total = 0;
	struct conf c;
	int err = conf_parse(&c, (const char *)data, size, "fuzz", read_sentence, &total, &f);

	check_all_faults((const char *)data, size, err);
	check_reply((const char *)data, size);
	if (err) {
		if (!f.text[0])
			abort();
		return 0;
	}
	for (uint32_t i = 0; i < c.peer_count; i++)
		check_peer(&c, &c.peers[i]);
	check_written(&c);
	conf_done(&c);
	return 0;
}
