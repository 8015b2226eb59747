/* SPDX-License-Identifier: MIT */
/* closest.h - finds the known word that a mistyped word was meant to be. */
#ifndef WGXDP_CLOSEST_H
#define WGXDP_CLOSEST_H

#include <stddef.h>

/* Returns the name of the entry that @word is most likely a slip of the fingers for, or NULL if
 * none is close enough. @table has @count entries of @size bytes, each beginning with a `const
 * char *` name. Upper and lower case are the same letter. A word that equals a name is not looked
 * for. */
const char *closest(const char *word, const void *table, size_t size, size_t count);

#endif
