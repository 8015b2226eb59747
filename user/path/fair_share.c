/* SPDX-License-Identifier: MIT */
#include "path/fair_share.h"

#define WINDOW 4096 /* all counts are halved when their total reaches this */

static void halve(struct fair_share *f)
{
	f->total = f->squares = 0;
	for (unsigned i = 0; i < FAIR_SHARE_PEERS; i++) {
		f->messages[i] /= 2;
		f->total += f->messages[i];
		f->squares += f->messages[i] * f->messages[i];
	}
}

void fair_share_add(struct fair_share *f, uint32_t slot, uint32_t n)
{
	uint32_t *messages = &f->messages[slot % FAIR_SHARE_PEERS];

	f->squares += (2 * *messages + n) * n;
	*messages += n;
	f->total += n;
	if (f->total >= WINDOW)
		halve(f);
}

bool fair_share_exceeded(const struct fair_share *f, uint32_t slot, unsigned fullness)
{
	uint64_t messages = f->messages[slot % FAIR_SHARE_PEERS];

	if (fullness < FAIR_SHARE_FROM)
		return false;
	if (fullness >= 15)
		messages *= 4;
	else if (fullness >= 14)
		messages *= 2;
	return messages * f->total > f->squares;
}
