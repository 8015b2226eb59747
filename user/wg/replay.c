/* SPDX-License-Identifier: MIT */
/*
 * replay.c - the window of RFC 6479. The bitmap is a ring of words. When the window advances, whole
 * words are cleared and no bits are shifted. The word of the newest counter is only partly used, so
 * the guaranteed window is one word shorter than the bitmap.
 *
 *      word:   … 126 | 127 |  0  |  1  | 2 …        newest = next - 1, here in word 1:
 *      holds:  old … | old | new | new | oldest …   word 2 is the next to be cleared
 */
#include "wg/replay.h"

#include <errno.h>
#include <string.h>

#define WORD_BITS 64
#define WORDS (REPLAY_WINDOW_BITS / WORD_BITS)
#define WINDOW (REPLAY_WINDOW_BITS - WORD_BITS)

_Static_assert((WORDS & (WORDS - 1)) == 0, "a word's place is its number modulo WORDS");

/* Moves the window forward to @counter, which is newer than all counters accepted so far. */
static void advance(struct replay *r, uint64_t counter)
{
	uint64_t from = r->next ? (r->next - 1) / WORD_BITS : 0;
	uint64_t to = counter / WORD_BITS;

	if (to - from >= WORDS) {
		memset(r->bitmap, 0, sizeof(r->bitmap));
	} else {
		for (uint64_t word = from + 1; word <= to; word++)
			r->bitmap[word % WORDS] = 0;
	}
	r->next = counter + 1;
}

int replay_accept(struct replay *r, uint64_t counter)
{
	uint64_t bit = 1ULL << (counter % WORD_BITS);
	uint64_t *word = &r->bitmap[counter / WORD_BITS % WORDS];

	if (counter >= REJECT_AFTER_MESSAGES)
		return -ERANGE;
	/* The sum cannot overflow: @counter is less than REJECT_AFTER_MESSAGES = 2^64 - 2^13 - 1,
	 * and WINDOW is less than 2^13. */
	if (counter + WINDOW + 1 < r->next)
		return -ERANGE;
	if (counter >= r->next)
		advance(r, counter);
	else if (*word & bit)
		return -EALREADY;
	*word |= bit;
	return 0;
}
