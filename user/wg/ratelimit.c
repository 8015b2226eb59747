/* SPDX-License-Identifier: MIT */
/*
 * ratelimit.c - the whole state is one block of memory that ratelimit_new() allocates:
 *
 *   heads[hash(source)] ─▶ bucket ─▶ bucket ─▶ NONE       chains by hash_next
 *   newest ⇄ bucket ⇄ ... ⇄ bucket ⇄ oldest               all buckets, by last use
 *
 * A source without a bucket gets the least recently used bucket. The hash is keyed, so that an
 * attacker cannot choose sources that share a chain.
 *
 * A bucket stores unspent time (saved_ns) instead of a number of tokens, so that no fraction of a
 * token is lost between two calls. One token costs 1 s / rate of this time.
 */
#include "wg/ratelimit.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/wipe.h"
#include "wgxdp/limits.h"

#define NONE UINT16_MAX

_Static_assert(RATELIMIT_BUCKETS < NONE, "indices are 16 bits");
_Static_assert((RATELIMIT_BUCKETS & (RATELIMIT_BUCKETS - 1)) == 0, "the hash is masked");
_Static_assert((RATELIMIT_REMEMBERED & (RATELIMIT_REMEMBERED - 1)) == 0, "the hash is masked");

/* The part of an address that one bucket stands for: IPv4 /32, IPv6 /64. */
struct source {
	uint8_t family; /* 0 in a bucket that has never been used */
	uint8_t prefix[8];
};

struct bucket {
	uint64_t saved_ns;
	uint64_t last_ns; /* BOOTTIME at which saved_ns was computed */
	struct source source;
	uint16_t hash_next;
	uint16_t newer, older;
};

struct ratelimit {
	uint64_t token_ns, burst_ns;
	uint8_t secret[crypto_shorthash_KEYBYTES];
	uint16_t newest, oldest;
	uint16_t heads[RATELIMIT_BUCKETS];
	struct bucket buckets[RATELIMIT_BUCKETS];
	uint64_t remembered[RATELIMIT_REMEMBERED]; /* hashes of accepted messages */
};

_Static_assert(crypto_shorthash_KEYBYTES == 16, "the type of ratelimit_new()");

struct ratelimit *ratelimit_new(uint32_t per_s, uint32_t burst, const uint8_t secret[static 16])
{
	struct ratelimit *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->token_ns = NS_PER_S / per_s;
	r->burst_ns = r->token_ns * burst;
	memcpy(r->secret, secret, sizeof(r->secret));
	for (unsigned i = 0; i < RATELIMIT_BUCKETS; i++) {
		r->heads[i] = NONE;
		r->buckets[i].hash_next = NONE;
		r->buckets[i].newer = i == 0 ? NONE : i - 1;
		r->buckets[i].older = i == RATELIMIT_BUCKETS - 1 ? NONE : i + 1;
	}
	r->oldest = RATELIMIT_BUCKETS - 1;
	return r;
}

void ratelimit_free(struct ratelimit *r)
{
	if (r)
		wipe(r->secret, sizeof(r->secret));
	free(r);
}

static struct source source_of(const struct endpoint *e)
{
	struct source s = { .family = (uint8_t)e->remote.sa.sa_family };

	if (s.family == AF_INET)
		memcpy(s.prefix, &e->remote.v4.sin_addr, sizeof(e->remote.v4.sin_addr));
	else
		memcpy(s.prefix, &e->remote.v6.sin6_addr, sizeof(s.prefix));
	return s;
}

/* Returns the head of the hash chain of @s. */
static uint16_t *head_of(struct ratelimit *r, const struct source *s)
{
	uint64_t hash;

	crypto_shorthash((uint8_t *)&hash, (const uint8_t *)s, sizeof(*s), r->secret);
	return &r->heads[hash & (RATELIMIT_BUCKETS - 1)];
}

static void mark_newest(struct ratelimit *r, uint16_t i)
{
	struct bucket *b = &r->buckets[i];

	if (i == r->newest)
		return;
	r->buckets[b->newer].older = b->older;
	if (i == r->oldest)
		r->oldest = b->newer;
	else
		r->buckets[b->older].newer = b->newer;
	b->newer = NONE;
	b->older = r->newest;
	r->buckets[r->newest].newer = i;
	r->newest = i;
}

/* Removes the oldest bucket from the hash chain of its source, and returns the bucket's index. */
static uint16_t evict_oldest(struct ratelimit *r)
{
	uint16_t i = r->oldest;
	struct bucket *b = &r->buckets[i];
	uint16_t *link;

	if (b->source.family == AF_UNSPEC)
		return i;
	for (link = head_of(r, &b->source); *link != i; link = &r->buckets[*link].hash_next)
		;
	*link = b->hash_next;
	return i;
}

/* Returns the bucket of @s. A new bucket has all its tokens. */
static struct bucket *bucket_of(struct ratelimit *r, const struct source *s, uint64_t now_ns)
{
	uint16_t *head = head_of(r, s);
	uint16_t i = *head;

	while (i != NONE && memcmp(&r->buckets[i].source, s, sizeof(*s)) != 0)
		i = r->buckets[i].hash_next;
	if (i == NONE) {
		i = evict_oldest(r);
		r->buckets[i].source = *s;
		r->buckets[i].saved_ns = r->burst_ns;
		r->buckets[i].last_ns = now_ns;
		r->buckets[i].hash_next = *head;
		*head = i;
	}
	mark_newest(r, i);
	return &r->buckets[i];
}

bool ratelimit_take(struct ratelimit *r, const struct endpoint *from, uint64_t now_ns)
{
	struct source s = source_of(from);
	struct bucket *b = bucket_of(r, &s, now_ns);
	uint64_t room_ns = r->burst_ns - b->saved_ns;
	uint64_t passed_ns = now_ns > b->last_ns ? now_ns - b->last_ns : 0;

	b->saved_ns += passed_ns < room_ns ? passed_ns : room_ns;
	b->last_ns += passed_ns;
	if (b->saved_ns < r->token_ns)
		return false;
	b->saved_ns -= r->token_ns;
	return true;
}

/* The hash is keyed, so that an attacker cannot choose messages that overwrite the record of a
 * given message. */
static uint64_t mac2_hash(const struct ratelimit *r, const uint8_t mac2[static 16])
{
	uint64_t hash;

	crypto_shorthash((uint8_t *)&hash, mac2, 16, r->secret);
	return hash;
}

void ratelimit_remember(struct ratelimit *r, const uint8_t mac2[static 16])
{
	uint64_t hash = mac2_hash(r, mac2);

	r->remembered[hash & (RATELIMIT_REMEMBERED - 1)] = hash;
}

bool ratelimit_remembers(const struct ratelimit *r, const uint8_t mac2[static 16])
{
	uint64_t hash = mac2_hash(r, mac2);

	return r->remembered[hash & (RATELIMIT_REMEMBERED - 1)] == hash;
}
