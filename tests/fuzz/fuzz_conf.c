/* SPDX-License-Identifier: MIT */
/* fuzz_conf.c - any text is either refused with a message, or yields values as conf.h promises
 * them. */
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/valuetext.h"
#include "fuzz_main.h"

static void read_sentence(void *ctx, const char *sentence)
{
	size_t *total = ctx;

	*total += strlen(sentence);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fault f = { "" };
	size_t total = 0;
	struct conf c;

	if (conf_parse(&c, (const char *)data, size, "fuzz", read_sentence, &total, &f)) {
		if (!f.text[0])
			abort();
		return 0;
	}
	for (uint32_t i = 0; i < c.peer_count; i++)
		check_peer(&c, &c.peers[i]);
	conf_done(&c);
	return 0;
}
