/* SPDX-License-Identifier: MIT */
/* conf_parse.h - for the tests of config files: keys, and a function that parses a text and
 * collects the warnings. */
#ifndef WGXDP_TEST_CONF_PARSE_H
#define WGXDP_TEST_CONF_PARSE_H

#include <stdio.h>
#include <string.h>

#include "conf/conf.h"

/* Only tests and the documentation use these keys. */
#define KEY_A "YhJ+ih9fHOB0LsEePKuygUS1v9mX7qpRIaLUhQ2RBEQ="
#define KEY_B "lvkfOWHcUIjKSXd9aB9OWLXzJmkrd1CKSGq7TcNaPkE="
#define KEY_C "F9BX+tSz67hqWVSrGUwOkR87Yruxg/BFxdjaYk0kviI="
#define SECRET "0LQzGeQ4CLWln00nM6JAGq4axbXvElQY9yMVdNtOnVQ="
#define SECRET_PUBLIC "DCuP0At1uM5wkqeGIziFXLWKjs2qCop7+sEqHmqA9l8="
#define IF "[Interface]\n"
#define PEER(key) "[Peer]\nPublicKey = " key "\n"

struct told {
	unsigned count;
	char all[4096];
};

static inline void remember(void *ctx, const char *sentence)
{
	struct told *t = ctx;

	t->count++;
	snprintf(t->all + strlen(t->all), sizeof(t->all) - strlen(t->all), "%s\n", sentence);
}

static inline int parse(struct conf *c, const char *text, struct told *t, struct fault *f)
{
	memset(t, 0, sizeof(*t));
	memset(f, 0, sizeof(*f));
	return conf_parse(c, text, strlen(text), "t.conf", remember, t, f);
}

#endif
