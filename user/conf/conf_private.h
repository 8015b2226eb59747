/* SPDX-License-Identifier: MIT */
/* conf_private.h - shared by conf.c (lines), conf_blocks.c and conf_values.c (keys and their values). */
#ifndef WGXDP_CONF_PRIVATE_H
#define WGXDP_CONF_PRIVATE_H

#include "conf/conf.h"
#include "conf/settle.h"

enum conf_section { CONF_NOWHERE, CONF_INTERFACE, CONF_PEER };

struct conf_parser {
	struct conf *c;
	unsigned line;
	conf_warn_fn warn;
	void *warn_ctx;
	unsigned warnings;
	struct fault *f;
	enum conf_section section;
	const char *key; /* of the line at hand */

	struct conf_peer block; /* the [Peer] at hand; allowed is not used */
	bool has_key, has_psk, has_keepalive;
	bool incremental;  /* it has an allowed IP with '+' or '-' */
	size_t block_step; /* its first step */

	struct settle_step *steps;
	size_t step_count, step_size;
	uint32_t peer_size;
	void *by_key; /* tsearch(3) tree of struct conf_entry */

	char name[PEER_NAME_LEN]; /* "# Name =" of which the peer is not known yet */
	bool name_below;	  /* it stands directly below a line of the block */
	bool below;		  /* the line before was one of a block */
};

/* One thing that may stand in a file. @set gets the value, trimmed and, unless @words (white space
 * separates values), with all white space taken out. It may write to it. 0 or -errno. */
struct conf_key {
	const char *name;
	enum conf_section section;
	bool words;
	int (*set)(struct conf_parser *p, char *value);
};

/* The key named @name in @section, or NULL. */
const struct conf_key *conf_key(const char *name, enum conf_section section);

/* A [Peer] begins: its settings go to p->block. At its end they are the peer's; fine if none had begun.
 * 0 or -errno. */
void conf_begin_block(struct conf_parser *p);
int conf_end_block(struct conf_parser *p);

/* Appends a step; its peer is set when the block ends. */
int conf_add_step(struct conf_parser *p, const struct settle_step *step);

/* "file:line: value: what"; returns @err. Never with a secret as value. */
int conf_bad(struct conf_parser *p, int err, const char *value, const char *what);
int conf_no_memory(struct conf_parser *p);
void conf_warn(struct conf_parser *p, unsigned line, const char *value, const char *what);

#endif
