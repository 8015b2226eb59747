/* SPDX-License-Identifier: MIT */
#include "util/closest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define WORD_MAX 32

/* Returns how many letters must be inserted, removed, replaced or swapped with the next letter to
 * turn @a into @b (the Damerau-Levenshtein distance). Both have at most WORD_MAX letters. */
static unsigned distance(const char *a, const char *b)
{
	unsigned rows[3][WORD_MAX + 1] = { 0 };
	size_t len = strlen(b);

	for (unsigned j = 0; j <= len; j++)
		rows[0][j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

		row[0] = i;
		for (unsigned j = 1; j <= len; j++) {
			bool same = tolower(a[i - 1]) == tolower(b[j - 1]);

			row[j] = above[j - 1] + !same;
			if (above[j] + 1 < row[j])
				row[j] = above[j] + 1;
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
			if (i > 1 && j > 1 && tolower(a[i - 1]) == tolower(b[j - 2]) &&
			    tolower(a[i - 2]) == tolower(b[j - 1]) && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
	}
	return rows[strlen(a) % 3][len];
}

#define LONG_NAME 7

/* Returns the largest distance at which @word still counts as a mistyped @name. Words that begin
 * with the same letters may differ more, because the first letters are rarely mistyped. Long names
 * may differ more, too. */
static unsigned tolerance(const char *name, const char *word)
{
	size_t most = strlen(name) * 3 / 5, alike = 0, far;

	while (alike < 3 && word[alike] && tolower(word[alike]) == tolower(name[alike]))
		alike++;
	if (!alike)
		far = 1;
	else
		far = alike == 3 || strlen(name) >= LONG_NAME ? 3 : 2;
	return (unsigned)(far < most ? far : most);
}

const char *closest(const char *word, const void *table, size_t size, size_t count)
{
	const char *found = NULL, *at = table;
	unsigned least = WORD_MAX;

	if (strlen(word) > WORD_MAX)
		return NULL;
	for (; count; count--, at += size) {
		const char *name = *(const char *const *)at;
		unsigned far = distance(name, word);

		if (strcmp(name, word) != 0 && far <= tolerance(name, word) && far < least) {
			least = far;
			found = name;
		}
	}
	return found;
}
