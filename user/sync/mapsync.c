/* SPDX-License-Identifier: MIT */
/*
 * State of the peers -> BPF maps; the only writer. What it is asked for has happened in the maps
 * when it returns, so that an index is there before the message that carries it leaves.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/keytext.h"
#include "daemon/daemon.h"
#include "util/counter.h"
#include "util/log.h"

#define COUNTERS_EVERY_NS NS_PER_S
/* A host that starts containers changes its links all the time. */
#define LISTEN_DELAY_NS (50 * NS_PER_MS)
#define LISTEN_RETRY_NS NS_PER_S

struct listen_list {
	struct listen_key *keys;
	unsigned count, cap;
	__be16 port;
};

static int add_listen(void *ctx, uint32_t ifindex, uint8_t family, const uint8_t *addr)
{
	struct listen_list *list = ctx;
	struct listen_key *key;

	(void)ifindex;
	if (list->count == list->cap) {
		unsigned cap = list->cap ? list->cap * 2 : 32;

		key = realloc(list->keys, cap * sizeof(*key));
		if (!key)
			return -ENOMEM;
		list->keys = key;
		list->cap = cap;
	}
	key = &list->keys[list->count++];
	*key = (struct listen_key){ .port = list->port };
	if (family == AF_INET) {
		memset(key->address + 10, 0xff, 2);
		memcpy(key->address + 12, addr, 4);
	} else {
		memcpy(key->address, addr, 16);
	}
	return 0;
}

static bool switched_on(const char *path)
{
	FILE *file = fopen(path, "re");
	int value = 0;

	if (!file)
		return false;
	if (fscanf(file, "%d", &value) != 1)
		value = 0;
	fclose(file);
	return value != 0;
}

/* May the host forward what comes in by any of its interfaces? @conf: the directory of a family with
 * one for each of them. Those who forward by interface alone (systemd-networkd can) leave the common
 * switch off; IPv6 has another for it (force_forwarding, Linux 6.17). */
static bool forwards(const char *conf)
{
	static const char *const names[] = { "forwarding", "force_forwarding" };
	const struct dirent *e;
	char path[320];
	bool on;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/all/forwarding", conf);
	on = switched_on(path);
	dir = on ? NULL : opendir(conf);
	while (dir && !on && (e = readdir(dir))) {
		if (e->d_name[0] == '.' || !strcmp(e->d_name, "default"))
			continue;
		for (unsigned i = 0; i < 2 && !on; i++) {
			snprintf(path, sizeof(path), "%s/%s/%s", conf, e->d_name, names[i]);
			on = switched_on(path);
		}
	}
	if (dir)
		closedir(dir);
	return on;
}

void mapsync_forwarding(struct daemon *n)
{
	if (!n->loader)
		return;
	if (n->options->strict)
		loader_set_forwarding(n->loader, false, false);
	else
		loader_set_forwarding(n->loader, forwards("/proc/sys/net/ipv4/conf"),
				      forwards("/proc/sys/net/ipv6/conf"));
}

void mapsync_listen(struct daemon *n)
{
	struct listen_list list = { .port = htons(n->udp.port) };
	int err = 0;

	n->listen_at_ns = UINT64_MAX;
	if (!n->loader)
		return;
	mapsync_forwarding(n); /* before the first packet is judged; a new link may forward */
	if (n->up)
		err = netlink_addresses(n->netlink, add_listen, &list);
	if (!err)
		err = loader_set_listen(n->loader, list.keys, list.count);
	if (err) {
		log_error(
			"cannot tell XDP the addresses of this host: %s; what comes to new ones takes the UDP socket",
			strerror(-err));
		/* Rather none than those of a port that may be somebody else's by now. */
		loader_set_listen(n->loader, NULL, 0);
		n->listen_at_ns = loop_now_ns() + LISTEN_RETRY_NS;
	}
	free(list.keys);
}

int mapsync_peer(struct daemon *n, const struct peer *p)
{
	struct peer_value v = {
		.latest_handshake = p->latest_handshake_unix_ns / NS_PER_S,
	};

	if (!n->loader)
		return 0;
	keytext_to_base64(v.public_key, p->remote.public);
	endpoint_text(&p->endpoint, v.endpoint);
	memcpy(v.name, p->name, sizeof(v.name));
	return loader_peer_set(n->loader, p->slot, &v);
}

void mapsync_peer_end(struct daemon *n, const struct peer *p)
{
	if (n->loader)
		loader_peer_del(n->loader, p->slot);
}

int mapsync_index(struct daemon *n, uint32_t index, const struct peer *p, bool pending)
{
	struct session_value v = {
		.slot = p->slot,
		.worker = (uint16_t)(p->slot % n->worker_count),
		.kind = pending ? SESSION_PENDING : SESSION_DATA,
	};

	return n->loader ? loader_session_set(n->loader, index, &v) : 0;
}

void mapsync_index_end(struct daemon *n, uint32_t index)
{
	if (n->loader)
		loader_session_del(n->loader, index);
}

int mapsync_allowed(struct daemon *n, const struct prefix *prefix, const struct peer *p)
{
	return n->loader ? loader_allowed_set(n->loader, prefix, p->slot) : 0;
}

void mapsync_allowed_end(struct daemon *n, const struct prefix *prefix)
{
	if (n->loader)
		loader_allowed_del(n->loader, prefix);
}

void mapsync_identity(struct daemon *n)
{
	int err = 0;

	if (n->loader)
		err = loader_set_mac1_key(
			n->loader, n->device.identity.set ? n->device.checker.mac1_key : NULL);
	if (err)
		log_error("cannot tell XDP the key of mac1: %s", strerror(-err));
}

/* Workers count in memory; people read the map. */
static void sync_counters(struct daemon *n, uint64_t now_ns)
{
	n->counters_at_ns = now_ns + COUNTERS_EVERY_NS;
	for (struct peer *p = n->device.first; p; p = p->list_next) {
		struct peer_stats_value v = {
			.rx_packets = counter_read(&p->rx_packets),
			.rx_bytes = counter_read(&p->rx_bytes),
			.tx_packets = counter_read(&p->tx_packets),
			.tx_bytes = counter_read(&p->tx_bytes),
		};

		if (v.rx_packets + v.tx_packets == p->counted_packets)
			continue;
		if (!loader_peer_auth_set(n->loader, p->slot, &v))
			p->counted_packets = v.rx_packets + v.tx_packets;
	}
}

void mapsync_addresses_changed(struct daemon *n)
{
	if (n->listen_at_ns == UINT64_MAX)
		n->listen_at_ns = loop_now_ns() + LISTEN_DELAY_NS;
}

void mapsync_tick(struct daemon *n, uint64_t now_ns)
{
	if (!n->loader)
		return;
	if (now_ns >= n->counters_at_ns)
		sync_counters(n, now_ns);
	if (now_ns >= n->listen_at_ns)
		mapsync_listen(n);
}

uint64_t mapsync_next(const struct daemon *n)
{
	if (!n->loader)
		return UINT64_MAX;
	return n->listen_at_ns < n->counters_at_ns ? n->listen_at_ns : n->counters_at_ns;
}
