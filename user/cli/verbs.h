/* SPDX-License-Identifier: MIT */
/*
 * verbs.h - the table of the verbs: the name, function and help text of each. `wgxdp --help`, the
 * shell completion, and the suggestion for a mistyped verb are made from this table.
 */
#ifndef WGXDP_VERBS_H
#define WGXDP_VERBS_H

#include <stdio.h>

struct verb {
	const char *name, *other_name; /* other_name may be NULL */
	int (*main)(int argc, char **argv);
	const char *arguments, *what;
};

/* Returns the verb with the name or other name @word, or NULL. */
const struct verb *verbs_find(const char *word);

/* Writes the text of `wgxdp --help`. Returns CLI_OK. */
int verbs_help(FILE *out);

/* Checks the first argument @word, which is not a verb but may be the name of an interface.
 * Returns CLI_OK if @word may be an interface. Otherwise prints a suggestion and returns CLI_USAGE.
 * @more: true if @word is followed by an argument that is not an option. */
int verbs_refuse(const char *word, int more);

/* Writes the completion for bash: `wgxdp --completion bash`, which `make install` runs. Returns
 * CLI_OK. */
int verbs_completion(FILE *out);

#endif
