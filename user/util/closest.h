/* SPDX-License-Identifier: MIT */
/* closest.h - finds the known word that a user most likely meant with a mistyped word. */
#ifndef WGXDP_CLOSEST_H
#define WGXDP_CLOSEST_H

#include <stddef.h>

/* Returns the name of the entry for which @word is most likely a typing error, or NULL if no name
 * is close enough. @table has @count entries of @size bytes, each of which begins with a `const
 * char *` name. Upper and lower case count as equal. Call this only for a @word that is not in
 * the table. */
const char *closest(const char *word, const void *table, size_t size, size_t count);

#endif
