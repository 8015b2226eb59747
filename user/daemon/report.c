/* SPDX-License-Identifier: MIT */
/* The control socket, wgxdp/control.h: what `wgxdp show` shows, and `wgxdp detach`. */
#include <arpa/inet.h>
#include <jansson.h>
#include <string.h>

#include "conf/keytext.h"
#include "daemon/node.h"

static uint64_t count(const _Atomic uint64_t *at)
{
	return atomic_load_explicit(at, memory_order_relaxed);
}

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static int add_allowed(void *ctx, const struct prefix *p)
{
	char address[INET6_ADDRSTRLEN];

	inet_ntop(p->family, p->addr, address, sizeof(address));
	return json_array_append_new(ctx, json_sprintf("%s/%u", address, p->length));
}

static json_t *describe_peer(const struct peer *p)
{
	char key[KEYTEXT_BASE64_LEN + 1], endpoint[ENDPOINT_TEXT_LEN];
	json_t *allowed = json_array();

	keytext_to_base64(key, p->remote.public);
	endpoint_text(&p->endpoint, endpoint);
	allowedips_each(&p->allowed, add_allowed, allowed);
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:i}", "public_key", key,
			 "name", p->name, "endpoint", endpoint, "allowed_ips", allowed,
			 "latest_handshake", number(p->latest_handshake_unix_ns / NS_PER_S),
			 "rx_bytes", number(count(&p->rx_bytes)), "tx_bytes",
			 number(count(&p->tx_bytes)), "rx_packets", number(count(&p->rx_packets)),
			 "tx_packets", number(count(&p->tx_packets)), "persistent_keepalive",
			 p->timers.persistent_s);
}

static json_t *describe_peers(const struct node *n)
{
	json_t *peers = json_array();

	for (const struct peer *p = n->device.first; p; p = p->list_next)
		json_array_append_new(peers, describe_peer(p));
	return peers;
}

/* What died anywhere: in BPF, in the worker, in the handshake engine. */
static json_t *describe_drops(const struct node *n)
{
	static const char *const names[REASON_COUNT] = {
#define X(id, name, sentence) [id] = #name,
		FOREACH_REASON(X)
#undef X
	};
	struct drops_value kernel[REASON_COUNT] = { 0 };
	uint64_t worker[REASON_COUNT];
	json_t *drops = json_object();

	workers_drops(n, worker);
	if (n->loader && loader_drops(n->loader, kernel))
		memset(kernel, 0, sizeof(kernel));
	for (unsigned i = 1; i < REASON_COUNT; i++) {
		uint64_t sum = kernel[i].packets + worker[i] + n->device.counts[i];

		if (sum)
			json_object_set_new(drops, names[i], number(sum));
	}
	return drops;
}

static json_t *describe_nics(const struct node *n)
{
	char names[OPTIONS_NICS_MAX * (IFNAME_MAX + 1)] = "";

	if (!n->nic_count)
		return json_null();
	for (unsigned i = 0; i < n->nic_count; i++) {
		if (i)
			strcat(names, ",");
		strcat(names, n->nics[i].name);
	}
	return json_string(names);
}

static json_t *describe_mode(const struct node *n)
{
	for (unsigned i = 0; i < n->nic_count; i++)
		if (n->nics[i].attached)
			return json_string(n->nics[i].native ? "native" : "generic");
	return json_null();
}

static json_t *describe_path(const struct node *n)
{
	uint64_t rx_xsk = 0, tx_xsk = 0, rx_udp, tx_udp;
	unsigned queues = 0;

	for (unsigned i = 0; i < n->nic_count; i++) {
		const struct node_nic *nic = &n->nics[i];

		queues += nic->queue_count;
		for (unsigned q = 0; q < nic->queue_count; q++) {
			rx_xsk += count(&nic->queues[q]->stats.rx_packets);
			tx_xsk += count(&nic->queues[q]->stats.tx_packets);
		}
	}
	workers_udp_count(n, &rx_udp, &tx_udp);
	return json_pack("{s:o, s:i, s:i, s:s, s:s, s:o, s:b, s:s, s:s?, s:s?,"
			 " s:{s:o, s:o}, s:{s:o, s:o}}",
			 "nic", describe_nics(n), "queues", (int)queues, "workers", (int)n->worker_count, "rx",
			 n->rx_xdp ? "xdp" : "udp", "tx", n->tx_xdp ? "xdp" : "udp", "xdp_mode",
			 describe_mode(n), "zero_copy", n->zero_copy, "aead", aead_name(), "why",
			 *n->why ? n->why : NULL, "pinned",
			 n->loader ? loader_pinned(n->loader) : NULL, "rx_packets", "xsk",
			 number(rx_xsk), "udp", number(rx_udp), "tx_packets",
			 "xsk", number(tx_xsk), "udp", number(tx_udp));
}

static json_t *describe(void *ctx)
{
	const struct node *n = ctx;
	char key[KEYTEXT_BASE64_LEN + 1];

	keytext_to_base64(key, n->device.identity.public);
	return json_pack("{s:s, s:s?, s:i, s:I, s:i, s:o, s:o, s:o}", "interface", n->tun.name,
			 "public_key", n->device.identity.set ? key : NULL, "listen_port",
			 (int)(n->up ? n->udp.port : n->wanted_port), "fwmark",
			 (json_int_t)n->fwmark, "mtu", (int)n->tun_mtu, "path", describe_path(n),
			 "drops", describe_drops(n), "peers", describe_peers(n));
}

static void detach(void *ctx)
{
	node_stop(ctx, 0);
}

const struct ctlserver_ops report_ops = {
	.show = describe,
	.detach = detach,
};
