/* SPDX-License-Identifier: MIT */
/*
 * allowedips.c - a path-compressed binary trie for each family. A node stands for a prefix. Its two
 * children are longer prefixes that begin with the same bits and differ in the next bit:
 *
 *        10.0.0.0/8 A                A node without a peer (a "fork") joins two longer prefixes
 *        /          \                whose common bits are not an allowed IP of any peer. A fork
 *   10.0.0.0/14 -   10.192.0.0/16 C  always has two children, so there are fewer forks than
 *    /        \                      prefixes.
 *  10.1.0.0/16 B  10.2.0.0/16 A
 *
 * A reader descends from the root while the address matches, and returns the peer of the last node
 * on its path that has a peer. The writer completes a node before it links the node into the trie
 * (release, pairs with the acquire in child_of()). A removed node keeps its children, so that a
 * reader at that node can continue its descent. The removed node is retired, which means that it is
 * freed only after all readers have left it. Only the writer uses the members parent and list.
 */
#include "wg/allowedips.h"

#include <endian.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "wgxdp/limits.h"

/* An address of either family, leftmost bit first. */
struct bits {
	uint64_t high, low;
};

struct allowedips_node {
	/* hot: readers use these */
	struct bits bits;
	uint8_t length;
	uint8_t family;
	_Atomic(struct peer *) peer; /* NULL: a fork */
	_Atomic(struct allowedips_node *) child[2];
	/* cold: only the writer uses these */
	struct allowedips_node *parent; /* NULL: this node is the root */
	struct allowedips_list *list;	/* the list of the peer that has this prefix; NULL: fork */
	struct allowedips_node *list_next, *list_prev;
};

struct trie {
	_Atomic(struct allowedips_node *) root;
	uint32_t count; /* prefixes, without forks */
};

struct allowedips {
	struct trie v4, v6;
	retire_fn retire;
	void *ctx;
};

static struct bits bits4(const uint8_t addr[static 4])
{
	uint32_t word;

	memcpy(&word, addr, sizeof(word));
	return (struct bits){ .high = (uint64_t)be32toh(word) << 32 };
}

static struct bits bits6(const uint8_t addr[static 16])
{
	uint64_t words[2];

	memcpy(words, addr, sizeof(words));
	return (struct bits){ be64toh(words[0]), be64toh(words[1]) };
}

/* Returns the first @n bits of @b, followed by zeros. */
static struct bits first_bits(struct bits b, unsigned n)
{
	b.high &= n >= 64 ? ~0ULL : ~(~0ULL >> n);
	b.low &= n >= 128 ? ~0ULL : n <= 64 ? 0 : ~(~0ULL >> (n - 64));
	return b;
}

/* Returns bit @n of @b, counted from the left; n < 128. */
static unsigned bit_at(struct bits b, unsigned n)
{
	return n < 64 ? b.high >> (63 - n) & 1 : b.low >> (127 - n) & 1;
}

/* Returns how many leading bits of @a and @b are equal, 0..128. */
static unsigned common_bits(struct bits a, struct bits b)
{
	if (a.high != b.high)
		return __builtin_clzll(a.high ^ b.high);
	return a.low != b.low ? 64 + __builtin_clzll(a.low ^ b.low) : 128;
}

static struct allowedips_node *child_of(const struct allowedips_node *n, unsigned which)
{
	return atomic_load_explicit(&n->child[which], memory_order_acquire);
}

static struct peer *node_peer(const struct allowedips_node *n)
{
	return atomic_load_explicit(&n->peer, memory_order_acquire);
}

static struct peer *lookup_trie(const struct trie *t, struct bits key, unsigned length)
{
	struct allowedips_node *n = atomic_load_explicit(&t->root, memory_order_acquire);
	struct peer *found = NULL, *p;

	while (n && common_bits(n->bits, key) >= n->length) {
		p = node_peer(n);
		if (p)
			found = p;
		if (n->length == length)
			break;
		n = child_of(n, bit_at(key, n->length));
	}
	return found;
}

struct peer *allowedips_lookup4(const struct allowedips *a, const uint8_t addr[static 4])
{
	return lookup_trie(&a->v4, bits4(addr), 32);
}

struct peer *allowedips_lookup6(const struct allowedips *a, const uint8_t addr[static 16])
{
	return lookup_trie(&a->v6, bits6(addr), 128);
}

struct allowedips *allowedips_new(retire_fn retire, void *ctx)
{
	struct allowedips *a = calloc(1, sizeof(*a));

	if (a) {
		a->retire = retire;
		a->ctx = ctx;
	}
	return a;
}

/* Each child has a longer prefix than its parent, so the recursion is at most 129 levels deep. */
static void free_nodes(struct allowedips_node *n)
{
	if (!n)
		return;
	free_nodes(child_of(n, 0));
	free_nodes(child_of(n, 1));
	free(n);
}

void allowedips_free(struct allowedips *a)
{
	if (!a)
		return;
	free_nodes(atomic_load_explicit(&a->v4.root, memory_order_relaxed));
	free_nodes(atomic_load_explicit(&a->v6.root, memory_order_relaxed));
	free(a);
}

static struct trie *trie_of(const struct allowedips *a, uint8_t family)
{
	return (struct trie *)(family == AF_INET ? &a->v4 : &a->v6);
}

/* Sets *@bits to the address of @p with the host bits cleared. Returns false if @p is invalid. */
static bool prefix_bits(const struct prefix *p, struct bits *bits)
{
	if (!prefix_valid(p))
		return false;
	*bits = p->family == AF_INET ? bits4(p->addr) : bits6(p->addr);
	*bits = first_bits(*bits, p->length);
	return true;
}

static void list_append(struct allowedips_list *list, struct allowedips_node *n)
{
	n->list = list;
	n->list_next = NULL;
	n->list_prev = list->last;
	if (list->last)
		list->last->list_next = n;
	else
		list->first = n;
	list->last = n;
	list->count++;
}

static void list_unlink(struct allowedips_node *n)
{
	struct allowedips_list *list = n->list;

	if (n->list_prev)
		n->list_prev->list_next = n->list_next;
	else
		list->first = n->list_next;
	if (n->list_next)
		n->list_next->list_prev = n->list_prev;
	else
		list->last = n->list_prev;
	list->count--;
	n->list = NULL;
}

static struct allowedips_node *node_new(uint8_t family, struct bits bits, unsigned length)
{
	struct allowedips_node *n = calloc(1, sizeof(*n));

	if (n) {
		n->bits = first_bits(bits, length);
		n->length = length;
		n->family = family;
	}
	return n;
}

/* Returns the address of the child pointer of @parent that leads towards @bits, or of the trie's
 * root pointer if @parent is NULL. */
static _Atomic(struct allowedips_node *) *link_to(struct trie *t, struct allowedips_node *parent,
						  struct bits bits)
{
	return parent ? &parent->child[bit_at(bits, parent->length)] : &t->root;
}

/* Links @n, with its children, below @parent, or as the root of the trie if @parent is NULL.
 * Replaces the node that was linked there before. */
static void attach_node(struct trie *t, struct allowedips_node *parent, struct allowedips_node *n)
{
	n->parent = parent;
	atomic_store_explicit(link_to(t, parent, n->bits), n, memory_order_release);
}

/* Makes @n a child of @parent. No reader can see @parent yet. */
static void set_child(struct allowedips_node *parent, struct allowedips_node *n)
{
	atomic_init(&parent->child[bit_at(n->bits, parent->length)], n);
	n->parent = parent;
}

/* Returns the deepest node whose prefix contains @bits/@length or is equal to it; NULL if there is
 * none. */
static struct allowedips_node *deepest_node(struct trie *t, struct bits bits, unsigned length)
{
	struct allowedips_node *n = atomic_load_explicit(&t->root, memory_order_relaxed);
	struct allowedips_node *last = NULL;

	while (n && n->length <= length && common_bits(n->bits, bits) >= n->length) {
		last = n;
		if (n->length == length)
			break;
		n = child_of(n, bit_at(bits, n->length));
	}
	return last;
}

/* Inserts the new node @n below @parent, which deepest_node() returned for the prefix of @n.
 * Returns 0 or -ENOMEM. */
static int insert_node(struct trie *t, struct allowedips_node *parent, struct allowedips_node *n)
{
	struct allowedips_node *below, *fork;
	unsigned shared;

	below = atomic_load_explicit(link_to(t, parent, n->bits), memory_order_relaxed);
	if (!below) {
		attach_node(t, parent, n);
		return 0;
	}
	shared = common_bits(below->bits, n->bits);
	if (shared >= n->length) {
		set_child(n, below);
		attach_node(t, parent, n);
		return 0;
	}
	fork = node_new(n->family, n->bits, shared);
	if (!fork)
		return -ENOMEM;
	set_child(fork, below);
	set_child(fork, n);
	attach_node(t, parent, fork);
	return 0;
}

static int add_prefix(struct trie *t, struct allowedips_node *parent, const struct prefix *p,
		      struct bits bits, struct peer *peer, struct allowedips_list *list)
{
	struct allowedips_node *n;
	int err;

	if (t->count >= ALLOWED_IPS_MAX)
		return -ENOSPC;
	n = node_new(p->family, bits, p->length);
	if (!n)
		return -ENOMEM;
	atomic_init(&n->peer, peer);
	err = insert_node(t, parent, n);
	if (err) {
		free(n);
		return err;
	}
	t->count++;
	list_append(list, n);
	return 0;
}

int allowedips_insert(struct allowedips *a, const struct prefix *p, struct peer *peer,
		      struct allowedips_list *list)
{
	struct allowedips_node *n;
	struct trie *t;
	struct bits bits;

	if (!prefix_bits(p, &bits))
		return -EINVAL;
	t = trie_of(a, p->family);
	n = deepest_node(t, bits, p->length);
	if (!n || n->length != p->length)
		return add_prefix(t, n, p, bits, peer, list);
	if (!node_peer(n)) { /* The fork becomes a prefix. */
		if (t->count >= ALLOWED_IPS_MAX)
			return -ENOSPC;
		t->count++;
	} else if (n->list == list) {
		return 0;
	} else {
		list_unlink(n);
	}
	list_append(list, n);
	atomic_store_explicit(&n->peer, peer, memory_order_release);
	return 0;
}

/* Removes @n from the trie if @n has no peer and at most one child. */
static void prune_node(struct allowedips *a, struct trie *t, struct allowedips_node *n)
{
	struct allowedips_node *only;

	if (node_peer(n) || (child_of(n, 0) && child_of(n, 1)))
		return;
	only = child_of(n, 0) ? child_of(n, 0) : child_of(n, 1);
	if (only)
		attach_node(t, n->parent, only);
	else
		atomic_store_explicit(link_to(t, n->parent, n->bits), NULL, memory_order_release);
	a->retire(a->ctx, n, free);
}

static void remove_node_prefix(struct allowedips *a, struct allowedips_node *n)
{
	struct trie *t = trie_of(a, n->family);
	struct allowedips_node *parent = n->parent;

	list_unlink(n);
	atomic_store_explicit(&n->peer, NULL, memory_order_release);
	t->count--;
	prune_node(a, t, n);
	if (parent)
		prune_node(a, t, parent); /* A fork may have lost one of its two children. */
}

bool allowedips_remove(struct allowedips *a, const struct prefix *p, struct peer *peer)
{
	struct allowedips_node *n;
	struct bits bits;

	if (!prefix_bits(p, &bits))
		return false;
	n = deepest_node(trie_of(a, p->family), bits, p->length);
	if (!n || n->length != p->length || !peer || node_peer(n) != peer)
		return false;
	remove_node_prefix(a, n);
	return true;
}

static void node_prefix(const struct allowedips_node *n, struct prefix *p)
{
	uint64_t words[2] = { htobe64(n->bits.high), htobe64(n->bits.low) };

	*p = (struct prefix){ .family = n->family, .length = n->length };
	memcpy(p->addr, words, n->family == AF_INET ? 4 : 16);
}

void allowedips_remove_all(struct allowedips *a, struct allowedips_list *list,
			   void (*fn)(void *ctx, const struct prefix *p), void *ctx)
{
	struct prefix p;

	while (list->first) {
		node_prefix(list->first, &p);
		remove_node_prefix(a, list->first);
		if (fn)
			fn(ctx, &p);
	}
}

void allowedips_relist(struct allowedips_list *from, struct allowedips_list *to)
{
	struct allowedips_node *n;

	while ((n = from->first)) {
		list_unlink(n);
		list_append(to, n);
	}
}

int allowedips_each(const struct allowedips_list *list,
		    int (*fn)(void *ctx, const struct prefix *p), void *ctx)
{
	struct prefix p;
	int ret = 0;

	for (struct allowedips_node *n = list->first; n && !ret; n = n->list_next) {
		node_prefix(n, &p);
		ret = fn(ctx, &p);
	}
	return ret;
}

uint32_t allowedips_count(const struct allowedips *a, uint8_t family)
{
	return trie_of(a, family)->count;
}
