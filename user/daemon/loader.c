/* SPDX-License-Identifier: MIT */
#include "daemon/loader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/ingress.skel.h"
#include "daemon/pins.h"
#include "daemon/xdplink.h"
#include "util/log.h"

struct nic {
	uint32_t ifindex; /* 0: free */
	int link_fd;
};

struct loader {
	struct ingress_bpf *skel;
	struct pins pins;
	struct nic nics[NICS_MAX]; /* a NIC's place is its number in the maps */
	unsigned cpus;
	void *per_cpu; /* room for one element of a per-CPU map: cpus times its value */
};

/* The largest value of a per-CPU map; the kernel wants each rounded up to 8 bytes, and it is. */
#define PER_CPU_VALUE sizeof(struct peer_stats_value)
_Static_assert(sizeof(struct drops_value) <= PER_CPU_VALUE && PER_CPU_VALUE % 8 == 0, "per_cpu");

/* --- load ------------------------------------------------------------------------------------ */

static __attribute__((format(printf, 2, 0))) int to_log(enum libbpf_print_level level,
							const char *format, va_list args)
{
	char line[1024];
	size_t len;

	if (level == LIBBPF_DEBUG || log_get_level() < LOG_LEVEL_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), format, args);
	len = strlen(line);
	if (len && line[len - 1] == '\n')
		line[len - 1] = '\0';
	log_debug("%s", line);
	return 0;
}

static int load_fault(int err, struct fault *f)
{
	switch (err) {
	case -EPERM:
		return fault(f, err,
			     "loading the BPF program: not permitted; it takes root, or "
			     "CAP_BPF and CAP_NET_ADMIN");
	case -ENOMEM:
		return fault(f, err, "loading the BPF program: out of memory");
	default:
		return fault(f, -ENOTSUP,
			     "loading the BPF program: this kernel does not take it "
			     "(%s); it takes Linux 6.1 or newer with BPF and BTF",
			     strerror(-err));
	}
}

static int pin_maps(struct loader *l, struct fault *f)
{
	struct bpf_map *map;
	int err;

	bpf_object__for_each_map (map, l->skel->obj) {
		if (bpf_map__is_internal(map))
			continue;
		err = pins_add(&l->pins, bpf_map__name(map), bpf_map__fd(map), f);
		if (err)
			return err;
	}
	return 0;
}

int loader_new(struct loader **l, const char *interface, struct fault *f)
{
	struct loader *new = calloc(1, sizeof(*new));
	int cpus = libbpf_num_possible_cpus(), err;

	libbpf_set_print(to_log);
	if (!new || cpus < 0) {
		err = fault(f, new ? cpus : -ENOMEM, "loading the BPF program: %s",
			    new ? "the number of CPUs is unknown" : "out of memory");
		goto free_loader;
	}
	new->cpus = cpus;
	new->per_cpu = calloc(cpus, PER_CPU_VALUE);
	if (!new->per_cpu) {
		err = fault(f, -ENOMEM, "loading the BPF program: out of memory");
		goto free_loader;
	}
	errno = 0;
	new->skel = ingress_bpf__open_and_load();
	if (!new->skel) {
		err = load_fault(errno ? -errno : -ENOTSUP, f);
		goto free_loader;
	}
	err = pins_init(&new->pins, interface, f);
	if (err)
		goto free_loader;
	err = pin_maps(new, f);
	if (err)
		goto free_loader;
	*l = new;
	return 0;

free_loader:
	loader_free(new);
	return err;
}

void loader_free(struct loader *l)
{
	if (!l)
		return;
	for (unsigned i = 0; i < NICS_MAX; i++)
		if (l->nics[i].ifindex)
			loader_detach(l, l->nics[i].ifindex);
	pins_done(&l->pins);
	ingress_bpf__destroy(l->skel);
	free(l->per_cpu);
	free(l);
}

const char *loader_pinned(const struct loader *l)
{
	return l->pins.path[0] ? l->pins.path : NULL;
}

/* --- attach ---------------------------------------------------------------------------------- */

/* The number of the NIC with @ifindex, or of a free place for 0; -ENOENT. */
static int find_nic(const struct loader *l, uint32_t ifindex)
{
	for (int i = 0; i < NICS_MAX; i++)
		if (l->nics[i].ifindex == ifindex)
			return i;
	return -ENOENT;
}

/* Likewise, of one we are attached to. */
static int find_attached(const struct loader *l, uint32_t ifindex)
{
	return ifindex ? find_nic(l, ifindex) : -ENOENT;
}

static int set_nic(struct loader *l, uint32_t ifindex, uint16_t number, const uint8_t mac[static 6])
{
	struct nic_value v = { .number = number };

	memcpy(v.mac, mac, sizeof(v.mac));
	return bpf_map__update_elem(l->skel->maps.nics, &ifindex, sizeof(ifindex), &v, sizeof(v),
				    BPF_ANY);
}

int loader_attach(struct loader *l, uint32_t ifindex, const char *nic, enum loader_mode mode,
		  bool *native, struct fault *f)
{
	uint8_t mac[6];
	int number, fd, err;

	if (find_attached(l, ifindex) >= 0)
		return fault(f, -EALREADY, "%s: XDP is attached there already", nic);
	number = find_nic(l, 0);
	if (number < 0)
		return fault(f, -ENOSPC, "%s: no more than %d NICs take XDP for one interface", nic,
			     NICS_MAX);
	err = xdplink_mac(nic, mac, f);
	if (err)
		return err;
	/* The map first: the program runs from the moment of the link. */
	err = set_nic(l, ifindex, number, mac);
	if (err)
		return fault(f, err, "%s: writing the map nics: %s", nic, strerror(-err));
	fd = xdplink_open(bpf_program__fd(l->skel->progs.wgxdp_ingress), ifindex, nic, mode, native,
			  f);
	if (fd < 0) {
		bpf_map__delete_elem(l->skel->maps.nics, &ifindex, sizeof(ifindex), 0);
		return fd;
	}
	l->nics[number] = (struct nic){ .ifindex = ifindex, .link_fd = fd };
	return 0;
}

void loader_detach(struct loader *l, uint32_t ifindex)
{
	int number = find_attached(l, ifindex);

	if (number < 0)
		return;
	close(l->nics[number].link_fd); /* the last reference: this detaches */
	for (uint32_t queue = 0; queue < NIC_QUEUES_MAX; queue++)
		loader_set_socket(l, ifindex, queue, -1);
	bpf_map__delete_elem(l->skel->maps.nics, &ifindex, sizeof(ifindex), 0);
	l->nics[number].ifindex = 0;
}

bool loader_attached(const struct loader *l, uint32_t ifindex)
{
	int number = find_attached(l, ifindex);

	return number >= 0 && xdplink_alive(l->nics[number].link_fd);
}

int loader_set_mac(struct loader *l, uint32_t ifindex, const uint8_t mac[static 6])
{
	int number = find_attached(l, ifindex);

	return number < 0 ? number : set_nic(l, ifindex, number, mac);
}

int loader_set_socket(struct loader *l, uint32_t ifindex, uint32_t queue, int fd)
{
	int number = find_attached(l, ifindex), err;
	uint32_t key;

	if (number < 0)
		return number;
	if (queue >= NIC_QUEUES_MAX)
		return -ERANGE;
	key = xsks_key(number, queue);
	if (fd >= 0)
		return bpf_map__update_elem(l->skel->maps.xsks, &key, sizeof(key), &fd, sizeof(fd),
					    BPF_ANY);
	err = bpf_map__delete_elem(l->skel->maps.xsks, &key, sizeof(key), 0);
	return err == -ENOENT || err == -EINVAL ? 0 : err;
}

/* --- maps ------------------------------------------------------------------------------------ */

/* A full hash says E2BIG. */
static int full_is_enospc(int err)
{
	return err == -E2BIG ? -ENOSPC : err;
}

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct listen_key));
}

/* Deletes what is in the map and not among the sorted @keys. */
static void forget_listen(struct bpf_map *map, const struct listen_key *keys, unsigned n)
{
	struct listen_key key, next;
	bool more = !bpf_map__get_next_key(map, NULL, &key, sizeof(key));

	while (more) {
		/* Step on before the ground goes: after a deletion iteration would begin again. */
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
	forget_listen(map, sorted, n);
	for (unsigned i = 0; i < n && !err; i++)
		err = bpf_map__update_elem(map, &sorted[i], sizeof(*sorted), &one, sizeof(one),
					   BPF_ANY);
	free(sorted);
	return full_is_enospc(err);
}

void loader_set_forwarding(struct loader *l, bool ipv4, bool ipv6)
{
	__atomic_store_n(&l->skel->bss->forwarding4, ipv4, __ATOMIC_RELAXED);
	__atomic_store_n(&l->skel->bss->forwarding6, ipv6, __ATOMIC_RELAXED);
}

int loader_session_set(struct loader *l, uint32_t index, const struct session_value *v)
{
	return full_is_enospc(bpf_map__update_elem(l->skel->maps.sessions, &index, sizeof(index), v,
						   sizeof(*v), BPF_ANY));
}

void loader_session_del(struct loader *l, uint32_t index)
{
	bpf_map__delete_elem(l->skel->maps.sessions, &index, sizeof(index), 0);
}

int loader_peer_set(struct loader *l, uint32_t slot, const struct peer_value *v)
{
	size_t stats_size = l->cpus * sizeof(struct peer_stats_value);
	bool created;
	int err;

	memset(l->per_cpu, 0, stats_size);
	err = bpf_map__update_elem(l->skel->maps.peer_stats, &slot, sizeof(slot), l->per_cpu,
				   stats_size, BPF_NOEXIST);
	created = !err;
	if (err && err != -EEXIST)
		return full_is_enospc(err);
	err = bpf_map__update_elem(l->skel->maps.peers, &slot, sizeof(slot), v, sizeof(*v),
				   BPF_ANY);
	if (err && created)
		bpf_map__delete_elem(l->skel->maps.peer_stats, &slot, sizeof(slot), 0);
	return full_is_enospc(err);
}

void loader_peer_del(struct loader *l, uint32_t slot)
{
	bpf_map__delete_elem(l->skel->maps.peers, &slot, sizeof(slot), 0);
	bpf_map__delete_elem(l->skel->maps.peer_stats, &slot, sizeof(slot), 0);
}

int loader_peer_stats(const struct loader *l, uint32_t slot, struct peer_stats_value *sum)
{
	const struct peer_stats_value *v = l->per_cpu;
	struct peer_stats_value s = { 0 };
	int err = bpf_map__lookup_elem(l->skel->maps.peer_stats, &slot, sizeof(slot), l->per_cpu,
				       l->cpus * sizeof(*v), 0);

	if (err)
		return err;
	for (unsigned i = 0; i < l->cpus; i++) {
		s.rx_packets += v[i].rx_packets;
		s.rx_bytes += v[i].rx_bytes;
		s.tx_packets += v[i].tx_packets;
		s.tx_bytes += v[i].tx_bytes;
	}
	*sum = s;
	return 0;
}

/* The sums of drops or passes, by reason. */
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
