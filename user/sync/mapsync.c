/* SPDX-License-Identifier: MIT */
#include "sync/mapsync.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/loader.h"
#include "conf/keytext.h"
#include "io/netlink.h"
#include "util/counter.h"
#include "util/file.h"
#include "util/log.h"

#define COUNTERS_EVERY_NS NS_PER_S
#define PEERS_PER_CLOCK 64 /* slots that sync_counters() visits between two reads of the clock */
/* The shortest time between two reads of the host's addresses. A host that starts containers may
 * change many links in a short time. */
#define LISTEN_DELAY_NS (50 * NS_PER_MS)
#define LISTEN_RETRY_NS NS_PER_S

/* The host ------------------------------------------------------------------------------------- */

struct listen_list {
	struct listen_key *keys;
	unsigned count, cap;
	__be16 port;
};

static bool is_loopback(uint8_t family, const uint8_t *addr)
{
	return family == AF_INET ? addr[0] == 127 : !memcmp(addr, &in6addr_loopback, 16);
}

/* Adds an address of the host to the list, except loopback addresses. The stack refuses packets to
 * loopback addresses that arrive on other interfaces. On the loopback interface, the source of such
 * packets is a loopback address too, and XDP passes packets from loopback addresses anyway. */
static int add_listen(void *ctx, uint32_t ifindex, uint8_t family, const uint8_t *addr)
{
	struct listen_list *list = ctx;
	struct listen_key *key;

	(void)ifindex;
	if (is_loopback(family, addr))
		return 0;
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

/* Returns true if the host forwards packets that arrive on at least one of its interfaces. @conf is
 * the sysctl directory of a family, which has one directory for each interface. Single interfaces
 * may forward although all/forwarding is off (systemd-networkd can configure that). IPv6 has a
 * second switch for each interface, force_forwarding (Linux 6.17). */
static bool forwards(const char *conf)
{
	static const char *const names[] = { "forwarding", "force_forwarding" };
	const struct dirent *e;
	char path[320];
	bool on;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/all/forwarding", conf);
	on = file_switched_on(path, false);
	dir = on ? NULL : opendir(conf);
	while (dir && !on && (e = readdir(dir))) {
		if (e->d_name[0] == '.' || !strcmp(e->d_name, "default"))
			continue;
		for (unsigned i = 0; i < 2 && !on; i++) {
			snprintf(path, sizeof(path), "%s/%s/%s", conf, e->d_name, names[i]);
			on = file_switched_on(path, false);
		}
	}
	if (dir)
		closedir(dir);
	return on;
}

void mapsync_forwarding(struct mapsync *m)
{
	if (!m->config.loader)
		return;
	if (m->config.strict)
		loader_set_forwarding(m->config.loader, false, false);
	else
		loader_set_forwarding(m->config.loader, forwards("/proc/sys/net/ipv4/conf"),
				      forwards("/proc/sys/net/ipv6/conf"));
}

static void sync_listen(struct mapsync *m)
{
	struct listen_list list = { .port = htons(m->port) };
	int err = 0;

	if (!m->config.loader)
		return;
	loop_timer_cancel(&m->listen_timer);
	/* A new link may forward packets, so XDP must get the forwarding flags before it gets the
	 * link's addresses. */
	mapsync_forwarding(m);
	if (m->port)
		err = netlink_addresses(m->config.netlink, add_listen, &list);
	if (!err)
		err = loader_set_listen(m->config.loader, list.keys, list.count);
	if (err) {
		log_error("cannot give XDP the addresses of this host: %s; until a retry succeeds, "
			  "all data goes through the UDP sockets",
			  strerror(-err));
		/* Clear the map, because old entries may contain a port that we no longer use, and
		 * that another process may use now. */
		loader_set_listen(m->config.loader, NULL, 0);
		loop_timer_arm(&m->listen_timer, loop_now_ns() + LISTEN_RETRY_NS);
	}
	free(list.keys);
}

static void on_listen_timer(void *ctx, uint64_t now_ns)
{
	(void)now_ns;
	sync_listen(ctx);
}

void mapsync_listen(struct mapsync *m, uint16_t port)
{
	m->port = port;
	sync_listen(m);
}

void mapsync_addresses_changed(struct mapsync *m)
{
	if (m->config.loader && !loop_timer_armed(&m->listen_timer))
		loop_timer_arm(&m->listen_timer, loop_now_ns() + LISTEN_DELAY_NS);
}

/* The device ----------------------------------------------------------------------------------- */

static int set_peer(void *ctx, const struct peer *p)
{
	const struct mapsync *m = ctx;
	struct peer_value v = {
		.latest_handshake = p->latest_handshake_unix_ns / NS_PER_S,
	};

	if (!m->config.loader)
		return 0;
	keytext_to_base64(v.public_key, p->remote.public);
	endpoint_text(&p->endpoint, v.endpoint);
	memcpy(v.name, p->name, sizeof(v.name));
	return loader_peer_set(m->config.loader, p->slot, &v);
}

static void delete_peer(void *ctx, const struct peer *p)
{
	const struct mapsync *m = ctx;

	if (m->config.loader)
		loader_peer_del(m->config.loader, p->slot);
}

void mapsync_peer_changed(struct mapsync *m, const struct peer *p)
{
	set_peer(m, p); /* cannot fail, because the element exists */
}

static int set_index(void *ctx, uint32_t index, const struct peer *p, bool pending)
{
	const struct mapsync *m = ctx;
	struct session_value v = {
		.slot = p->slot,
		.kind = pending ? SESSION_PENDING : SESSION_DATA,
	};

	if (!m->config.loader)
		return 0;
	v.worker = (uint16_t)(p->slot % m->config.worker_count);
	return loader_session_set(m->config.loader, index, &v);
}

static void delete_index(void *ctx, uint32_t index)
{
	const struct mapsync *m = ctx;

	if (m->config.loader)
		loader_session_del(m->config.loader, index);
}

static int set_allowed(void *ctx, const struct prefix *prefix, const struct peer *p)
{
	const struct mapsync *m = ctx;

	return m->config.loader ? loader_allowed_set(m->config.loader, prefix, p->slot) : 0;
}

static void delete_allowed(void *ctx, const struct prefix *prefix)
{
	const struct mapsync *m = ctx;

	if (m->config.loader)
		loader_allowed_del(m->config.loader, prefix);
}

static void set_identity(void *ctx)
{
	const struct mapsync *m = ctx;
	const struct device *d = m->config.device;
	int err = 0;

	if (m->config.loader)
		err = loader_set_mac1_key(m->config.loader,
					  d->identity.set ? d->checker.mac1_key : NULL);
	if (err)
		log_error("cannot give XDP the mac1 key: %s", strerror(-err));
}

const struct device_mirror mapsync_mirror = {
	.index_begin = set_index,
	.index_end = delete_index,
	.peer_begin = set_peer,
	.peer_end = delete_peer,
	.identity_changed = set_identity,
	.allowed_begin = set_allowed,
	.allowed_end = delete_allowed,
};

static void sync_peer_counters(const struct mapsync *m, struct peer *p)
{
	const struct peer_stats_value v = {
		.rx_packets = counter_read(&p->rx_packets),
		.rx_bytes = counter_read(&p->rx_bytes),
		.tx_packets = counter_read(&p->tx_packets),
		.tx_bytes = counter_read(&p->tx_bytes),
	};

	if (v.rx_packets + v.tx_packets != p->counted_packets &&
	    !loader_peer_auth_set(m->config.loader, p->slot, &v))
		p->counted_packets = v.rx_packets + v.tx_packets;
}

/* Copies the workers' counters to the map peer_auth, which administrators may read. If the pass
 * over all peers takes too long, continues it in the next turn of the loop. */
static void sync_counters(void *ctx, uint64_t now_ns)
{
	struct mapsync *m = ctx;
	const struct device *d = m->config.device;
	uint64_t until_ns = now_ns + PASS_TURN_NS;

	while (m->counters_slot < d->next_slot) {
		struct peer *p = d->by_slot[m->counters_slot++];

		if (p)
			sync_peer_counters(m, p);
		if (m->counters_slot % PEERS_PER_CLOCK == 0 && loop_now_ns() >= until_ns) {
			loop_timer_arm(&m->counters_timer, 0);
			return;
		}
	}
	m->counters_slot = 0;
	loop_timer_arm(&m->counters_timer, now_ns + COUNTERS_EVERY_NS);
}

void mapsync_init(struct mapsync *m, const struct mapsync_config *config)
{
	*m = (struct mapsync){ .config = *config };
	loop_timer_init(&m->listen_timer, config->loop, on_listen_timer, m);
	loop_timer_init(&m->counters_timer, config->loop, sync_counters, m);
	if (!config->loader)
		return;
	set_identity(m);
	loop_timer_arm(&m->counters_timer, 0);
}

void mapsync_done(struct mapsync *m)
{
	loop_timer_done(&m->listen_timer);
	loop_timer_done(&m->counters_timer);
	m->config.loader = NULL; /* later calls of mapsync_mirror have no effect */
}
