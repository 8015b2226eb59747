/* SPDX-License-Identifier: MIT */
/*
 * conf_private.h - what conf.c (lines), conf_text.c (their characters), conf_values.c (keys and
 * their values), conf_quick.c (the keys of wg-quick) and conf_blocks.c (peers) share.
 */
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
	const char *key;	 /* of the line at hand */
	unsigned interface_line; /* of the last [Interface]; 0 = none yet */
	bool second_interface;
	unsigned mtu_line;

	struct conf_peer block; /* the [Peer] at hand; allowed is not used */
	bool has_key, has_psk, has_keepalive;
	bool incremental;  /* the block has an allowed IP with '+' or '-' */
	size_t block_step; /* the first step of the block */

	struct settle_step *steps;
	size_t step_count, step_size;
	uint32_t peer_size;
	void *by_key; /* tsearch(3) tree of struct conf_entry */

	char name[PEER_NAME_LEN]; /* of a "# Name =" line whose peer is not known yet */
	bool name_below;	  /* that line stands directly below a line of the block */
	bool below;		  /* the previous line belongs to a block */
};

/* A key. @set gets the value, trimmed, and without any white space unless @words or @command is
 * set. It may overwrite the value, which is empty only if @resets is set. Returns 0 or -errno. */
struct conf_key {
	const char *name;
	enum conf_section section;
	bool words;	   /* @set sees the white space */
	bool may_be_empty; /* an empty value means the same as no line */
	bool resets;	   /* an empty value undoes an earlier line */
	bool command;	   /* any characters but '#' may stand in it, and it may be empty */
	int (*set)(struct conf_parser *p, char *value);
};

/* conf_quick.c: the setters of the keys that wg-quick(8) handles. */
int conf_set_address(struct conf_parser *p, char *value);
int conf_set_dns(struct conf_parser *p, char *value);
int conf_set_mtu(struct conf_parser *p, char *value);
int conf_set_table(struct conf_parser *p, char *value);
int conf_set_pre_up(struct conf_parser *p, char *value);
int conf_set_post_up(struct conf_parser *p, char *value);
int conf_set_pre_down(struct conf_parser *p, char *value);
int conf_set_post_down(struct conf_parser *p, char *value);
int conf_set_save_config(struct conf_parser *p, char *value);

/* The key named @name in @section, or NULL. */
const struct conf_key *conf_key(const char *name, enum conf_section section);

/* The name of the key that @name is most likely a misspelling of, or NULL. */
const char *conf_closest_key(const char *name);

/* A [Peer] begins. Its settings are collected in p->block. */
void conf_begin_block(struct conf_parser *p);
/* Merges p->block into the peer with its public key. Fine if no block has begun. 0 or -errno. */
int conf_end_block(struct conf_parser *p);

/* Appends a peer of zeros to c->peers, which has room for *@size. 0, -E2BIG or -ENOMEM. */
int conf_add_peer(struct conf *c, uint32_t *size);
/* Wipes and frees the peers of @c. */
void conf_free_peers(struct conf *c);

/* Replaces control characters, because messages go to a terminal. */
void conf_printable(char *text);
/* Cuts off white space at the end, and returns the text behind that at the beginning. */
char *conf_trim(char *text);
/* Takes out all white space. */
void conf_squeeze(char *text);
/* Reads "# Name = value" into @name, as valid UTF-8 because it becomes JSON. Returns false if
 * @comment is another comment. */
bool conf_read_name(char *comment, char name[static PEER_NAME_LEN]);
/* Refuses and names characters that look like plain ones in the first @n bytes. 0 or -EINVAL. */
int conf_check_characters(struct conf_parser *p, const char *line, size_t n);
/* What is wrong with a value (not empty) in quotes or with a ';', or NULL. */
const char *conf_misquoted(const char *value);

/* Appends a step. Its peer is filled in when the block ends. */
int conf_add_step(struct conf_parser *p, const struct settle_step *step);

/* Writes "file:line: value: what" and returns @err. @value is never a secret. */
int conf_bad(struct conf_parser *p, int err, const char *value, const char *what);
int conf_no_memory(struct conf_parser *p);
void conf_warn(struct conf_parser *p, unsigned line, const char *value, const char *what);

#endif
