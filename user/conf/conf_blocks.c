/* SPDX-License-Identifier: MIT */
/* conf_blocks.c - turns a [Peer] block into a peer, or merges it into the peer with the same
 * key. */
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf_private.h"
#include "crypto/wipe.h"

/* A node of the tree that finds a peer by its public key. */
struct conf_entry {
	uint8_t key[WIRE_KEY_LEN];
	uint32_t peer;
};

static int compare_entries(const void *a, const void *b)
{
	return memcmp(((const struct conf_entry *)a)->key, ((const struct conf_entry *)b)->key,
		      WIRE_KEY_LEN);
}

void conf_begin_block(struct conf_parser *p)
{
	memset(&p->block, 0, sizeof(p->block));
	p->has_key = p->has_psk = p->has_keepalive = p->incremental = p->saw_key = false;
	p->block_step = p->step_count;
	p->block.line = p->line;
	memcpy(p->block.name, p->name, sizeof(p->name));
	p->name[0] = '\0';
}

int conf_add_peer(struct conf *c, uint32_t *size)
{
	uint32_t larger = *size ? 2 * *size : 16;
	struct conf_peer *grown;

	if (c->peer_count == PEERS_MAX)
		return -E2BIG;
	if (c->peer_count == *size) {
		/* Do not use realloc(), which would leave preshared keys in freed memory. */
		grown = calloc(larger, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		if (c->peers) {
			memcpy(grown, c->peers, c->peer_count * sizeof(*grown));
			wipe(c->peers, c->peer_count * sizeof(*grown));
			free(c->peers);
		}
		c->peers = grown;
		*size = larger;
	}
	memset(&c->peers[c->peer_count++], 0, sizeof(*grown));
	return 0;
}

/* Finds the peer with the public key of the block, or adds one. Sets *@peer to the peer's index. */
static int find_peer(struct conf_parser *p, uint32_t *peer, bool *found)
{
	struct conf *c = p->c;
	struct conf_entry *entry = malloc(sizeof(*entry));
	struct conf_entry **at;
	int err;

	if (!entry)
		return conf_no_memory(p);
	memcpy(entry->key, p->block.public_key, WIRE_KEY_LEN);
	entry->peer = c->peer_count;
	at = tsearch(entry, &p->by_key, compare_entries);
	*found = at && *at != entry;
	if (!at || *found)
		free(entry);
	if (!at)
		return conf_no_memory(p);
	*peer = (*at)->peer;
	if (*found)
		return 0;
	err = conf_add_peer(c, &p->peer_size);
	if (err == -E2BIG)
		return conf_bad(p, err, "[Peer]", "the file has more than 1048576 peers");
	return err ? conf_no_memory(p) : 0;
}

/* Overrides the settings of a peer with those that a later block of the peer contains. */
static void merge_block(struct conf_parser *p, struct conf_peer *peer)
{
	struct conf_peer *b = &p->block;

	if (p->has_psk)
		memcpy(peer->preshared_key, b->preshared_key, WIRE_KEY_LEN);
	if (p->has_keepalive)
		peer->keepalive_s = b->keepalive_s;
	if (b->name[0])
		memcpy(peer->name, b->name, sizeof(b->name));
	if (b->host) {
		free(peer->host);
		free(peer->port);
		peer->host = b->host;
		peer->port = b->port;
		peer->endpoint = b->endpoint;
		peer->named = b->named;
		peer->endpoint_line = b->endpoint_line;
		b->host = b->port = NULL;
	}
}

/* Replaces the allowed IPs of @peer with those of the current block. The peer loses the prefixes of
 * its earlier steps (one step for each allowed IP) at the first step of this block. */
static void replace_steps(struct conf_parser *p, uint32_t peer)
{
	for (size_t i = 0; i < p->block_step; i++)
		if (p->steps[i].peer == peer && !p->steps[i].until)
			p->steps[i].until = p->block_step;
}

/* Drops a block without a valid public key, because such a block belongs to no peer. */
static int drop_block(struct conf_parser *p)
{
	free(p->block.host);
	free(p->block.port);
	p->block.host = p->block.port = NULL;
	p->step_count = p->block_step;
	if (p->saw_key) /* the invalid key has been reported already */
		return -EINVAL;
	return conf_bad_at(p, (struct conf_place){ p->block.line, 1 }, -EINVAL, "[Peer]",
			   "its PublicKey is missing");
}

int conf_end_block(struct conf_parser *p)
{
	char sentence[128];
	struct conf_peer *peer;
	uint32_t number = 0;
	bool found = false;
	int err;

	if (p->section != CONF_PEER)
		return 0;
	if (!p->has_key)
		return drop_block(p);
	err = find_peer(p, &number, &found);
	if (err)
		return err;
	peer = &p->c->peers[number];
	if (!found) {
		*peer = p->block;
		p->block.host = p->block.port = NULL;
	} else {
		snprintf(sentence, sizeof(sentence),
			 "line %u already begins a block of this peer; this block overrides its "
			 "values and replaces its allowed IPs",
			 peer->line);
		conf_warn(p, (struct conf_place){ p->block.line, 1 }, "[Peer]", sentence);
		merge_block(p, peer);
		if (!p->incremental)
			replace_steps(p, number);
	}
	for (size_t i = p->block_step; i < p->step_count; i++)
		p->steps[i].peer = number;
	return err;
}
