/* SPDX-License-Identifier: MIT */
/*
 * confshow - prints the parsed form of config files, for comparison with `wg showconf`.
 *
 * The program reads paths of config files from standard input, one per line. For each file it
 * prints "== ok" and the text of conf_format(), or "== bad: " and the error. The text leaves out
 * the peer that is the host itself.
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "conf/conf_write.h"

/* Moves the peers other than the host itself to the front, and returns their number. */
static uint32_t skip_own(struct conf *c)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < c->peer_count; i++) {
		struct conf_peer peer = c->peers[i];

		if (peer.own)
			continue;
		c->peers[i] = c->peers[kept];
		c->peers[kept++] = peer;
	}
	return kept;
}

static void show(const char *path)
{
	struct buffer text = { 0 };
	struct conf c;
	struct fault f;
	uint32_t count;

	if (conf_read(&c, path, NULL, NULL, &f)) {
		printf("== bad: %s\n", f.text);
		return;
	}
	count = c.peer_count;
	c.peer_count = skip_own(&c);
	conf_format(&c, &text);
	c.peer_count = count;
	printf("== ok\n%.*s", (int)buffer_len(&text), text.data);
	buffer_done(&text);
	conf_done(&c);
}

int main(void)
{
	char path[4096];

	if (sodium_init() < 0)
		return 1;
	while (fgets(path, sizeof(path), stdin)) {
		path[strcspn(path, "\n")] = '\0';
		show(path);
	}
	return 0;
}
