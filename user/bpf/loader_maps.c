/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include <bpf/bpf.h>

#include "bpf/loader_private.h"
#include "crypto/wipe.h"
#include "util/loop.h"
#include "wg/prefix.h"
#include "wgxdp/blake2s.h"
#include "wgxdp/wire.h"

_Static_assert(sizeof(struct drops_value) <= PER_CPU_VALUE && PER_CPU_VALUE % 8 == 0, "per_cpu");

#define WORKER_WORDS_LEN (WORKERS_MAX * sizeof(uint64_t))

#define UPDATE_ATTEMPTS 100
#define UPDATE_PAUSE_NS 1000000
#define UPDATE_REST_NS 1000000000ULL

/* --- begin and end --------------------------------------------------------------------------- */

static int forward_event(void *ctx, void *data, size_t len)
{
	const struct loader *l = ctx;

	if (l->event_cb && len >= sizeof(struct event))
		l->event_cb(l->event_ctx, data);
	return 0;
}

/* Calls mmap() on a BPF array that workers write. Returns NULL and sets errno on failure. */
static volatile uint64_t *map_worker_words(const struct bpf_map *map)
{
	void *words = mmap(NULL, WORKER_WORDS_LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
			   bpf_map__fd(map), 0);

	return words == MAP_FAILED ? NULL : words;
}

int loader_maps_init(struct loader *l, struct fault *f)
{
	l->tun_writer_values = map_worker_words(l->skel->maps.tun_writer);
	l->heartbeat_values = map_worker_words(l->skel->maps.heartbeat);
	if (!l->tun_writer_values || !l->heartbeat_values)
		return fault(f, -errno, "cannot map a BPF map into memory: %s", strerror(errno));
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		l->tun_writer_values[i] = SLOT_NONE;
	l->events = ring_buffer__new(bpf_map__fd(l->skel->maps.events), forward_event, l, NULL);
	if (!l->events)
		return fault(f, -errno, "cannot map the BPF map \"events\" into memory: %s",
			     strerror(errno));
	return 0;
}

void loader_maps_done(struct loader *l)
{
	ring_buffer__free(l->events);
	if (l->tun_writer_values)
		munmap((void *)l->tun_writer_values, WORKER_WORDS_LEN);
	if (l->heartbeat_values)
		munmap((void *)l->heartbeat_values, WORKER_WORDS_LEN);
}

volatile uint64_t *loader_tun_writer(struct loader *l)
{
	return l->tun_writer_values;
}

volatile uint64_t *loader_heartbeat(struct loader *l)
{
	return l->heartbeat_values;
}

int64_t loader_clock_ahead_ns(const struct loader *l)
{
	return l->clock_ahead_ns;
}

int loader_events_fd(const struct loader *l)
{
	return ring_buffer__epoll_fd(l->events);
}

int loader_events_read(struct loader *l, void (*cb)(void *ctx, const struct event *e), void *ctx)
{
	l->event_cb = cb;
	l->event_ctx = ctx;
	return ring_buffer__consume(l->events);
}

/* --- addresses, sessions, mac1 --------------------------------------------------------------- */

/* Like bpf_map__update_elem(), but retries after -ENOMEM. The kernel cannot sleep while it
 * allocates an element, so it takes the memory from a small cache that it refills in the
 * background. A fast series of insertions can empty this cache although the machine has enough
 * memory. If all attempts fail, each call within the next UPDATE_REST_NS tries only once, so that a
 * lasting lack of memory does not block the control thread. Returns 0, -ENOSPC (the map is full) or
 * another -errno. */
static int update(struct loader *l, const struct bpf_map *map, const void *key, size_t key_len,
		  const void *value, size_t value_len, uint64_t flags)
{
	const struct timespec pause = { .tv_nsec = UPDATE_PAUSE_NS };
	unsigned attempts = loop_now_ns() < l->update_once_until_ns ? 1 : UPDATE_ATTEMPTS;
	int err = -ENOMEM;

	for (unsigned i = 0; i < attempts && err == -ENOMEM; i++) {
		if (i)
			nanosleep(&pause, NULL);
		err = bpf_map__update_elem(map, key, key_len, value, value_len, flags);
	}
	if (err == -ENOMEM && attempts > 1)
		l->update_once_until_ns = loop_now_ns() + UPDATE_REST_NS;
	return err == -E2BIG ? -ENOSPC : err; /* a full hash map returns -E2BIG */
}

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct listen_key));
}

/* Deletes the elements of the map that are not among the sorted @keys. */
static void delete_other_keys(struct bpf_map *map, const struct listen_key *keys, unsigned n)
{
	struct listen_key key, next;
	bool more = !bpf_map__get_next_key(map, NULL, &key, sizeof(key));

	while (more) {
		/* Get the next key before deleting this one: for a key that is no longer in the
		 * map, the kernel returns the first key as the next one. */
		more = !bpf_map__get_next_key(map, &key, &next, sizeof(next));
		if (!bsearch(&key, keys, n, sizeof(key), compare_keys))
			bpf_map__delete_elem(map, &key, sizeof(key), 0);
		key = next;
	}
}

int loader_set_listen(struct loader *l, const struct listen_key *keys, unsigned n)
{
	struct bpf_map *map = l->skel->maps.listen;
	struct listen_key *sorted;
	const uint8_t one = 1;
	int err = 0;

	if (n > LISTEN_MAX)
		return -ENOSPC;
	sorted = malloc((n + 1) * sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	if (n)
		memcpy(sorted, keys, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_keys);
	delete_other_keys(map, sorted, n);
	for (unsigned i = 0; i < n && !err; i++)
		err = update(l, map, &sorted[i], sizeof(*sorted), &one, sizeof(one), BPF_ANY);
	free(sorted);
	return err;
}

void loader_set_forwarding(struct loader *l, bool ipv4, bool ipv6)
{
	__atomic_store_n(&l->skel->bss->forwarding4, ipv4, __ATOMIC_RELAXED);
	__atomic_store_n(&l->skel->bss->forwarding6, ipv6, __ATOMIC_RELAXED);
}

int loader_set_mac1_key(struct loader *l, const uint8_t *key)
{
	struct mac_keys_value v = { .has_mac1 = key != NULL };
	uint32_t zero = 0;
	int err;

	if (key)
		blake2s_midstate(v.mac1, WIRE_MAC_LEN, key, WIRE_HASH_LEN);
	err = update(l, l->skel->maps.mac_keys, &zero, sizeof(zero), &v, sizeof(v), BPF_ANY);
	wipe(&v, sizeof(v));
	return err;
}

int loader_session_set(struct loader *l, uint32_t index, const struct session_value *v)
{
	return update(l, l->skel->maps.sessions, &index, sizeof(index), v, sizeof(*v), BPF_ANY);
}

void loader_session_del(struct loader *l, uint32_t index)
{
	bpf_map__delete_elem(l->skel->maps.sessions, &index, sizeof(index), 0);
}

/* --- peers ----------------------------------------------------------------------------------- */

/* Returns the trie of the prefix's family, with @key filled and *@key_len set. */
static struct bpf_map *allowed_map(struct loader *l, const struct prefix *p,
				   struct allowed6_key *key, size_t *key_len)
{
	bool ipv4 = p->family == AF_INET;
	size_t address_len = ipv4 ? 4 : 16;

	/* Both key structs begin with the length, followed by the address, so the longer struct
	 * serves for both families. */
	memset(key, 0, sizeof(*key));
	key->length = p->length;
	memcpy(key->address, p->addr, address_len);
	*key_len = offsetof(struct allowed6_key, address) + address_len;
	return ipv4 ? l->skel->maps.allowed4 : l->skel->maps.allowed6;
}

int loader_allowed_set(struct loader *l, const struct prefix *p, uint32_t slot)
{
	struct allowed6_key key;
	size_t key_len;
	struct bpf_map *map = allowed_map(l, p, &key, &key_len);

	return update(l, map, &key, key_len, &slot, sizeof(slot), BPF_ANY);
}

void loader_allowed_del(struct loader *l, const struct prefix *p)
{
	struct allowed6_key key;
	size_t key_len;
	struct bpf_map *map = allowed_map(l, p, &key, &key_len);

	bpf_map__delete_elem(map, &key, key_len, 0);
}

int loader_peer_set(struct loader *l, uint32_t slot, const struct peer_value *v)
{
	size_t stats_size = l->cpus * sizeof(struct peer_stats_value);
	const struct peer_stats_value nothing = { 0 };
	bool created;
	int err;

	memset(l->per_cpu, 0, stats_size);
	err = update(l, l->skel->maps.peer_stats, &slot, sizeof(slot), l->per_cpu, stats_size,
		     BPF_NOEXIST);
	created = !err;
	if (created)
		err = update(l, l->skel->maps.peer_auth, &slot, sizeof(slot), &nothing,
			     sizeof(nothing), BPF_ANY);
	if (!err || err == -EEXIST)
		err = update(l, l->skel->maps.peers, &slot, sizeof(slot), v, sizeof(*v), BPF_ANY);
	if (err && created)
		loader_peer_del(l, slot);
	return err;
}

int loader_peer_auth_set(struct loader *l, uint32_t slot, const struct peer_stats_value *v)
{
	return update(l, l->skel->maps.peer_auth, &slot, sizeof(slot), v, sizeof(*v), BPF_EXIST);
}

void loader_peer_del(struct loader *l, uint32_t slot)
{
	bpf_map__delete_elem(l->skel->maps.peers, &slot, sizeof(slot), 0);
	bpf_map__delete_elem(l->skel->maps.peer_stats, &slot, sizeof(slot), 0);
	bpf_map__delete_elem(l->skel->maps.peer_auth, &slot, sizeof(slot), 0);
}

/* --- counters -------------------------------------------------------------------------------- */

/* Sums the counters of @map, which is drops or passes, over all CPUs for each reason. */
static int sum_reasons(const struct loader *l, const struct bpf_map *map,
		       struct drops_value sums[static REASON_COUNT])
{
	const struct drops_value *v = l->per_cpu;
	struct drops_value all[REASON_COUNT] = { 0 };

	for (uint32_t reason = 0; reason < REASON_COUNT; reason++) {
		int err = bpf_map__lookup_elem(map, &reason, sizeof(reason), l->per_cpu,
					       l->cpus * sizeof(*v), 0);

		if (err)
			return err;
		for (unsigned i = 0; i < l->cpus; i++) {
			all[reason].packets += v[i].packets;
			all[reason].bytes += v[i].bytes;
		}
	}
	memcpy(sums, all, sizeof(all));
	return 0;
}

int loader_drops(const struct loader *l, struct drops_value sums[static REASON_COUNT])
{
	return sum_reasons(l, l->skel->maps.drops, sums);
}

int loader_passes(const struct loader *l, struct drops_value sums[static REASON_COUNT])
{
	return sum_reasons(l, l->skel->maps.passes, sums);
}
