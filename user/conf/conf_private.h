/* SPDX-License-Identifier: MIT */
/*
 * conf_private.h - declarations that the files of the parser share: conf.c (lines), conf_text.c
 * (characters), conf_values.c (keys and their values), conf_quick.c (the keys of wg-quick),
 * conf_blocks.c (peers), conf_finish.c (the end of the file), conf_lint.c (warnings) and
 * conf_message.c (messages).
 */
#ifndef WGXDP_CONF_PRIVATE_H
#define WGXDP_CONF_PRIVATE_H

#include "conf/conf.h"
#include "conf/settle.h"

/* CONF_UNKNOWN: the lines of a section with an unknown name are skipped. */
enum conf_section { CONF_NOWHERE, CONF_INTERFACE, CONF_PEER, CONF_UNKNOWN };

/* A place in the file. Lines and columns count from 1; columns count characters. */
struct conf_place {
	unsigned line, column;
};

struct conf_parser {
	struct conf *c;
	unsigned line;
	const char *text;    /* the current line; NULL = no line */
	const char *at;	     /* the place in the current line that messages refer to */
	const char *counted; /* the columns up to here have been counted */
	unsigned column;     /* column of p->counted */

	conf_warn_fn warn;     /* warning callback of conf_parse(), or NULL */
	conf_report_fn report; /* callback of conf_check(), which goes on after errors; or NULL */
	void *ctx;
	struct fault *f; /* where conf_parse() puts the first error */
	unsigned faults, warnings;

	enum conf_section section;
	const char *key;	     /* name of the key in the current line */
	unsigned settings;	     /* number of lines that are neither empty nor comments */
	struct conf_place interface; /* place of the last [Interface]; line 0 = none yet */
	bool second_interface;
	struct conf_place mtu;

	struct conf_peer block; /* settings of the current [Peer]; block.allowed is not used */
	bool has_key, has_psk, has_keepalive;
	bool saw_key;	   /* the block has a PublicKey line, even if its key is invalid */
	bool incremental;  /* the block has an allowed IP with '+' or '-' */
	size_t block_step; /* index in p->steps of the block's first allowed IP */

	struct settle_step *steps;
	size_t step_count, step_size;
	uint32_t peer_size;
	void *by_key; /* tsearch(3) tree of struct conf_entry */

	char name[PEER_NAME_LEN]; /* value of a "# Name =" line whose peer is not known yet */
	bool name_below;	  /* the "# Name =" line is directly below a line of the block */
	bool below;		  /* the previous line is not empty and not only a comment */
};

/* A key of the config file. @set gets the trimmed value, without inner white space unless @words or
 * @command is true. @set is called for an empty value only if @resets is true. @set may overwrite
 * the value, and returns 0 or -errno. */
struct conf_key {
	const char *name;
	enum conf_section section;
	bool words;	   /* @set gets the value with its inner white space */
	bool may_be_empty; /* an empty value means the same as no line */
	bool resets;	   /* an empty value cancels an earlier line */
	bool is_public_key;
	bool command; /* the value may contain any characters except '#', and may be empty */
	int (*set)(struct conf_parser *p, char *value);
};

/* The functions of conf_quick.c that set the keys of wg-quick(8). */
int conf_set_address(struct conf_parser *p, char *value);
int conf_set_dns(struct conf_parser *p, char *value);
int conf_set_mtu(struct conf_parser *p, char *value);
int conf_set_table(struct conf_parser *p, char *value);
int conf_set_pre_up(struct conf_parser *p, char *value);
int conf_set_post_up(struct conf_parser *p, char *value);
int conf_set_pre_down(struct conf_parser *p, char *value);
int conf_set_post_down(struct conf_parser *p, char *value);
int conf_set_save_config(struct conf_parser *p, char *value);

/* Returns the key named @name in @section, or NULL. */
const struct conf_key *conf_key(const char *name, enum conf_section section);

/* Returns the name of the key that @name most likely misspells, or NULL. */
const char *conf_closest_key(const char *name);

/* Begins a [Peer] block, whose settings are collected in p->block. */
void conf_begin_block(struct conf_parser *p);
/* Merges p->block into the peer that has the block's public key. Does nothing if no block has
 * begun. Returns 0 or -errno. */
int conf_end_block(struct conf_parser *p);

/* Appends a peer of zeros to c->peers, which has room for *@size peers, and enlarges the array if
 * it is full. Returns 0, -E2BIG or -ENOMEM. */
int conf_add_peer(struct conf *c, uint32_t *size);
/* Wipes and frees the peers of @c. */
void conf_free_peers(struct conf *c);

/* Replaces control characters and bytes that are not valid UTF-8, so that the text can go to a
 * terminal and into JSON. */
void conf_printable(char *text);
/* Removes trailing white space in place. Returns @text without its leading white space. */
char *conf_trim(char *text);
/* Removes all white space in place. */
void conf_squeeze(char *text);
/* Copies the value of a comment "# Name = value" to @name, in valid UTF-8, because the name goes
 * into JSON. Returns false if @comment is any other comment. */
bool conf_read_name(char *comment, char name[static PEER_NAME_LEN]);
/* Refuses typographic and invisible characters, such as a no-break space, in the first @n bytes,
 * and names the first of them in the message. Returns 0 or -EINVAL. */
int conf_check_characters(struct conf_parser *p, const char *line, size_t n);
/* Puts a space in place of each character that conf_check_characters() refuses. */
void conf_blank_strays(char *line);
/* Returns what is wrong with a non-empty value that is in quotes or contains ';', or NULL for any
 * other value. */
const char *conf_misquoted(const char *value);

/* Appends an allowed IP of the current block to p->steps. conf_end_block() sets step->peer. Returns
 * 0, -E2BIG or -ENOMEM. */
int conf_add_step(struct conf_parser *p, const struct settle_step *step);

/* Makes the line at @text the current one, to which messages refer. */
void conf_at_line(struct conf_parser *p, const char *text);
/* Returns the line and column of p->at. */
struct conf_place conf_here(struct conf_parser *p);
/* Reports "file:line:column: value: what" and returns @err. @value must not be a secret. */
int conf_bad(struct conf_parser *p, int err, const char *value, const char *what);
int conf_bad_at(struct conf_parser *p, struct conf_place place, int err, const char *value,
		const char *what);
int conf_no_memory(struct conf_parser *p);
void conf_warn(struct conf_parser *p, struct conf_place place, const char *value, const char *what);
/* Returns true if parsing continues after the error @err. */
bool conf_goes_on(const struct conf_parser *p, int err);

/* Determines the peer of each prefix, and makes the checks that depend on several lines. Returns 0
 * or -errno. */
int conf_finish(struct conf_parser *p);
/* Warns, for conf_check(), of settings that are allowed but look wrong. */
void conf_lint(struct conf_parser *p);
/* Returns the document in which the key @key is published, or NULL. */
const char *conf_published(const uint8_t key[static WIRE_KEY_LEN]);
/* Returns true if the non-empty @value is a placeholder for a key, such as "<private key>", and
 * therefore not a secret. */
bool conf_is_placeholder(const char *value);

/* Returns true if @value may contain a real key: 40 or more characters of base64 in a row. */
bool conf_may_hold_key(const char *value);

#endif
