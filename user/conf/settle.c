/* SPDX-License-Identifier: MIT */
#include "conf/settle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Sorts by prefix, then by the order of the file. */
static int compare(const void *left, const void *right)
{
	const struct settle_step *a = *(struct settle_step *const *)left;
	const struct settle_step *b = *(struct settle_step *const *)right;
	int order = memcmp(&a->prefix, &b->prefix, sizeof(a->prefix));

	return order ? order : (a > b) - (a < b);
}

int settle(struct settle_step *steps, size_t n, const bool *ignored,
	   void (*moved)(void *ctx, const struct settle_step *step), void *ctx)
{
	struct settle_step **sorted = calloc(n ? n : 1, sizeof(struct settle_step *));
	struct settle_step *holder = NULL; /* the step that gave the current prefix to its peer */

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		sorted[i] = &steps[i];
	qsort(sorted, n, sizeof(sorted[0]), compare);
	for (size_t i = 0; i < n; i++) {
		struct settle_step *s = sorted[i];

		if (i && memcmp(&sorted[i - 1]->prefix, &s->prefix, sizeof(s->prefix)) != 0)
			holder = NULL;
		if (holder && holder->until && holder->until <= (size_t)(s - steps))
			holder = NULL;
		if (ignored[s->peer] || (holder && s->take && holder->peer != s->peer) ||
		    (holder && !s->take && holder->peer == s->peer))
			continue;
		if (holder) {
			holder->kept = false;
			if (!s->take)
				moved(ctx, s);
		}
		holder = s->take ? NULL : s;
		s->kept = !s->take;
	}
	for (size_t i = 0; i < n; i++)
		steps[i].kept &= !steps[i].until;
	free(sorted);
	return 0;
}
