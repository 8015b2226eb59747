/* SPDX-License-Identifier: MIT */
/*
 * verbs.h - the table of the commands: what runs for a word, what `wgxdp --help` and the shell's
 * completion say of it, and what a word that is no command was meant to be.
 */
#ifndef WGXDP_VERBS_H
#define WGXDP_VERBS_H

#include <stdio.h>

struct verb {
	const char *name, *other_name; /* the latter may be NULL */
	int (*main)(int argc, char **argv);
	const char *arguments, *what;
};

/* The verb that @word names, or NULL. */
const struct verb *verbs_find(const char *word);

/* Writes what `wgxdp --help` says. Returns CLI_OK. */
int verbs_help(FILE *out);

/* @word stands where a verb or the name of an interface is expected. Returns CLI_OK if it may be
 * such a name. Otherwise says what was probably meant and returns CLI_USAGE. @more: other words
 * follow. */
int verbs_refuse(const char *word, int more);

/* Writes the completion for bash: `wgxdp --completion bash`, which `make` runs. Returns CLI_OK. */
int verbs_completion(FILE *out);

#endif
