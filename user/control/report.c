/* SPDX-License-Identifier: MIT */
/* The control socket, wgxdp/control.h: what `wgxdp show` shows, and `wgxdp detach`. */
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "conf/keytext.h"
#include "daemon/daemon.h"
#include "io/encap.h"
#include "util/counter.h"
#include "util/log.h"
#include "wgxdp/control.h"

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static int add_allowed(void *ctx, const struct prefix *p)
{
	char text[PREFIX_TEXT_LEN];

	return json_array_append_new(ctx, json_string(prefix_text(p, text)));
}

/* Which way data to the peer goes; why is said where another could be hoped for. */
static void describe_tx(const struct daemon *n, const struct peer *p, json_t *to)
{
	const struct encap *e = atomic_load_explicit(&p->encap, memory_order_relaxed);
	bool by_udp = e && !e->xsk_ok;

	json_object_set_new(to, "path_mtu", e && e->mtu ? json_integer(e->mtu) : json_null());
	json_object_set_new(to, "tx", e ? json_string(by_udp ? "udp" : "xdp") : json_null());
	json_object_set_new(to, "why",
			    by_udp && (n->tx_xdp || e->via_tunnel) ? json_string(e->why)
								   : json_null());
}

static json_t *describe_peer(const struct daemon *n, const struct peer *p)
{
	char key[KEYTEXT_BASE64_LEN + 1], endpoint[ENDPOINT_TEXT_LEN];
	json_t *allowed = json_array(), *peer;

	keytext_to_base64(key, p->remote.public);
	endpoint_text(&p->endpoint, endpoint);
	allowedips_each(&p->allowed, add_allowed, allowed);
	peer = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:i}", "public_key", key,
			 "name", p->name, "endpoint", endpoint, "allowed_ips", allowed,
			 "latest_handshake", number(p->latest_handshake_unix_ns / NS_PER_S),
			 "rx_bytes", number(counter_read(&p->rx_bytes)), "tx_bytes",
			 number(counter_read(&p->tx_bytes)), "rx_packets",
			 number(counter_read(&p->rx_packets)), "tx_packets",
			 number(counter_read(&p->tx_packets)), "persistent_keepalive",
			 p->timers.persistent_s);
	describe_tx(n, p, peer);
	return peer;
}

static json_t *describe_peers(const struct daemon *n)
{
	json_t *peers = json_array();

	for (const struct peer *p = n->device.first; p; p = p->list_next)
		json_array_append_new(peers, describe_peer(n, p));
	return peers;
}

/* In BPF and in the handshake engine. */
static void add_drops(const struct daemon *n, uint64_t sums[static REASON_COUNT])
{
	struct drops_value kernel[REASON_COUNT] = { 0 };

	if (n->loader && loader_drops(n->loader, kernel))
		memset(kernel, 0, sizeof(kernel));
	for (unsigned i = 0; i < REASON_COUNT; i++)
		sums[i] += kernel[i].packets + n->device.counts[i];
}

void report_drops(const struct daemon *n, uint64_t sums[static REASON_COUNT])
{
	workers_drops(n, sums);
	add_drops(n, sums);
}

/* What died anywhere, by reason: the above, and at the paths. */
static void sum_drops(const struct daemon *n, struct path_stats *l,
		      uint64_t sums[static REASON_COUNT])
{
	workers_drops(n, sums);
	path_stats_sum(n, sums[REASON_tun_full] + sums[REASON_down], l);
	add_drops(n, sums);
	sums[REASON_oversized] += l->oversized;
	sums[REASON_malformed] += l->malformed;
}

static uint64_t add_named(json_t *object, const char *name, uint64_t packets)
{
	if (packets)
		json_object_set_new(object, name, number(packets));
	return packets;
}

static const char *const reason_names[REASON_COUNT] = {
#define X(id, name, sentence) [id] = #name,
	FOREACH_REASON(X)
#undef X
};

/* The ledger: `drops`, `lost`, and in `dropped` what they come to. */
static void describe_dead(const struct daemon *n, struct path_stats *l, json_t *to)
{
	static const char *const loss_names[LOSS_COUNT] = {
#define X(name, sentence) #name,
		FOREACH_LOSS(X)
#undef X
	};
	json_t *drops = json_object(), *lost = json_object();
	uint64_t sums[REASON_COUNT], dropped = 0;

	sum_drops(n, l, sums);
	for (unsigned i = 1; i < REASON_COUNT; i++)
		dropped += add_named(drops, reason_names[i], sums[i]);
	for (unsigned i = 0; i < LOSS_COUNT; i++)
		dropped += add_named(lost, loss_names[i], l->lost[i]);
	json_object_set_new(to, "drops", drops);
	json_object_set_new(to, "lost", lost);
	json_object_set_new(to, "dropped", number(dropped));
}

/* What would have been dropped, but went on to the stack. */
static json_t *describe_passes(const struct daemon *n)
{
	struct drops_value sums[REASON_COUNT] = { 0 };
	json_t *passes = json_object();

	if (n->loader && loader_passes(n->loader, sums))
		memset(sums, 0, sizeof(sums));
	for (unsigned i = 1; i < REASON_COUNT; i++)
		add_named(passes, reason_names[i], sums[i].packets);
	return passes;
}

static json_t *describe_nics(const struct daemon *n)
{
	char names[OPTIONS_NICS_MAX * (IFNAME_MAX + 1)];
	size_t len = 0;

	if (!n->nic_count)
		return json_null();
	for (unsigned i = 0; i < n->nic_count; i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", i ? "," : "",
					n->nics[i].name);
	return json_string(names);
}

static json_t *describe_mode(const struct daemon *n)
{
	for (unsigned i = 0; i < n->nic_count; i++)
		if (n->nics[i].attached)
			return json_string(n->nics[i].native ? "native" : "generic");
	return json_null();
}

static json_t *describe_workers(const struct daemon *n)
{
	json_t *workers = json_array();
	uint64_t rx, tx;

	for (unsigned i = 0; i < n->worker_count; i++) {
		workers_packets(n, i, &rx, &tx);
		json_array_append_new(workers, json_pack("{s:o, s:o}", "rx_packets", number(rx),
							 "tx_packets", number(tx)));
	}
	return workers;
}

static json_t *describe_path(const struct daemon *n, const struct path_stats *l)
{
	unsigned queues = 0;

	for (unsigned i = 0; i < n->nic_count; i++)
		queues += n->nics[i].queue_count;
	return json_pack("{s:o, s:i, s:i, s:s, s:s, s:o, s:b, s:s, s:s?, s:s?,"
			 " s:{s:o, s:o}, s:{s:o, s:o}, s:o, s:b}",
			 "nic", describe_nics(n), "queues", (int)queues, "workers",
			 (int)n->worker_count, "rx", n->rx_xdp ? "xdp" : "udp", "tx",
			 n->tx_xdp ? "xdp" : "udp", "xdp_mode", describe_mode(n), "zero_copy",
			 n->zero_copy, "aead", aead_name(), "why", *n->why ? n->why : NULL,
			 "pinned", n->loader ? loader_pinned(n->loader) : NULL, "rx_packets", "xsk",
			 number(l->xsk_rx_packets), "udp", number(l->udp_rx_packets), "tx_packets",
			 "xsk", number(l->xsk_tx_packets), "udp", number(l->udp_tx_packets),
			 "per_worker", describe_workers(n), "bpf", n->loader != NULL);
}

static json_t *describe(void *ctx)
{
	const struct daemon *n = ctx;
	char key[KEYTEXT_BASE64_LEN + 1];
	struct path_stats ledger;
	json_t *dead = json_object(), *all;

	keytext_to_base64(key, n->device.identity.public);
	describe_dead(n, &ledger, dead);
	all = json_pack("{s:s, s:s?, s:i, s:I, s:i, s:b, s:o, s:o, s:o}", "interface", n->tun.name,
			"public_key", n->device.identity.set ? key : NULL, "listen_port",
			(int)(n->up ? n->udp.port : n->wanted_port), "fwmark",
			(json_int_t)n->fwmark, "mtu", (int)n->tun_mtu, "debug", diag_is_on(),
			"path", describe_path(n, &ledger), "passes", describe_passes(n), "peers",
			describe_peers(n));
	json_object_update(all, dead);
	json_decref(dead);
	return all;
}

/* Says where its messages are to be found. */
static json_t *set_debug(void *ctx, bool on)
{
	char file[256];
	ssize_t n = readlink("/proc/self/fd/2", file, sizeof(file) - 1);

	file[n > 0 ? n : 0] = '\0';
	diag_set(ctx, on);
	return json_pack("{s:b, s:s, s:s, s:i}", CONTROL_OK, 1, "log", log_where(), "stderr", file,
			 "pid", (int)getpid());
}

static void detach(void *ctx)
{
	daemon_stop(ctx, 0);
}

const struct ctlserver_ops report_ops = {
	.show = describe,
	.set_debug = set_debug,
	.detach = detach,
};
