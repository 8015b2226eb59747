/* SPDX-License-Identifier: MIT */
#include "control/report.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/loader.h"
#include "conf/keytext.h"
#include "io/encap.h"
#include "util/counter.h"
#include "util/json_text.h"
#include "util/log.h"
#include "version.h"
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

/* Adds to @to how data is sent to the peer. If AF_XDP is not used although it was expected, or if
 * the route leads into the tunnel, also adds the reason. If AF_XDP is used, also adds what AF_XDP
 * bypasses. */
static void describe_tx(const struct report *r, const struct peer *p, json_t *to)
{
	const struct encap *e = atomic_load_explicit(&p->encap, memory_order_relaxed);
	bool by_udp = e && !e->xsk_ok;

	json_object_set_new(to, "path_mtu", e && e->mtu ? json_integer(e->mtu) : json_null());
	json_object_set_new(to, "tx", e ? json_string(by_udp ? "udp" : "xdp") : json_null());
	json_object_set_new(to, "why",
			    e && e->why && (!by_udp || r->dataplane->paths.tx_xdp || e->via_tunnel)
				    ? json_string(e->why)
				    : json_null());
	json_object_set_new(to, "trains_refused",
			    json_boolean(atomic_load_explicit(&p->no_gso, memory_order_relaxed)));
}

/* Adds to @to the name from which the endpoint is looked up, and why the address is unknown or may
 * be stale. */
static void describe_name(const struct report *r, const struct peer *p, json_t *to)
{
	char why[ENDPOINT_NAMES_WHY_LEN];
	uint16_t port = 0;
	const char *host = endpoint_names_describe(r->names, p, &port, why, loop_now_ns());

	json_object_set_new(to, "endpoint_name",
			    host ? json_sprintf(strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port)
				 : json_null());
	json_object_set_new(to, "endpoint_name_why", *why ? json_string(why) : json_null());
}

static json_t *describe_peer(const struct report *r, const struct peer *p)
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
	describe_name(r, p, peer);
	describe_tx(r, p, peer);
	return peer;
}

/* Adds the packets that the kernel dropped at the tunnel interface. Subtracts the @refused writes,
 * because the kernel's count includes them and the workers have already counted them. */
static void add_tunnel_losses(const struct report *r, uint64_t refused, struct path_stats *stats)
{
	struct netlink_drops drops;

	if (!tunnel_drops(r->tunnel, &drops))
		return;
	stats->lost[LOSS_tun_tx] += drops.tx_dropped;
	if (drops.rx_dropped > refused)
		stats->lost[LOSS_tun_rx] += drops.rx_dropped - refused;
}

/* Adds up packets by reason: in @sums those that wgxdp dropped, and in stats->lost those that the
 * kernel or a NIC lost. */
static void sum_drops(const struct report *r, struct path_stats *stats,
		      uint64_t sums[static REASON_COUNT])
{
	uint64_t refused;

	workers_drops(&r->dataplane->workers, sums);
	refused = sums[REASON_tun_full] + sums[REASON_down];
	dataplane_stats(r->dataplane, stats);
	add_tunnel_losses(r, refused, stats);
	dataplane_drops(r->dataplane, sums);
	sums[REASON_oversized] += stats->oversized;
	sums[REASON_malformed] += stats->malformed;
	sums[REASON_down] += stats->down;
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

/* Adds to @to the members `drops` and `lost`, and the total of both as `dropped`. */
static void describe_dropped(const struct report *r, struct path_stats *stats, json_t *to)
{
	static const char *const loss_names[LOSS_COUNT] = {
#define X(name, sentence) #name,
		FOREACH_LOSS(X)
#undef X
	};
	json_t *drops = json_object(), *lost = json_object();
	uint64_t sums[REASON_COUNT], dropped = 0;

	sum_drops(r, stats, sums);
	for (unsigned i = 1; i < REASON_COUNT; i++)
		dropped += add_named(drops, reason_names[i], sums[i]);
	for (unsigned i = 0; i < LOSS_COUNT; i++)
		dropped += add_named(lost, loss_names[i], stats->lost[i]);
	json_object_set_new(to, "drops", drops);
	json_object_set_new(to, "lost", lost);
	json_object_set_new(to, "dropped", number(dropped));
}

/* Makes the object `passes`: for each reason, how many packets BPF passed to the stack. */
static json_t *describe_passes(const struct report *r)
{
	struct drops_value sums[REASON_COUNT] = { 0 };
	json_t *passes = json_object();

	if (r->dataplane->loader && loader_passes(r->dataplane->loader, sums))
		memset(sums, 0, sizeof(sums));
	for (unsigned i = 1; i < REASON_COUNT; i++)
		add_named(passes, reason_names[i], sums[i].packets);
	return passes;
}

static json_t *describe_nics(const struct paths *p)
{
	char names[OPTIONS_NICS_MAX * (IFNAME_MAX + 1)];
	size_t len = 0;

	if (!p->nic_count)
		return json_null();
	for (unsigned i = 0; i < p->nic_count; i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", i ? "," : "",
					p->nics[i].name);
	return json_text(names);
}

static json_t *describe_mode(const struct paths *p)
{
	for (unsigned i = 0; i < p->nic_count; i++)
		if (p->nics[i].attached)
			return json_string(p->nics[i].native ? "native" : "generic");
	return json_null();
}

static json_t *describe_workers(const struct dataplane *d)
{
	json_t *workers = json_array();
	uint64_t rx, tx;

	for (unsigned i = 0; i < d->workers.count; i++) {
		dataplane_worker_packets(d, i, &rx, &tx);
		json_array_append_new(workers, json_pack("{s:o, s:o}", "rx_packets", number(rx),
							 "tx_packets", number(tx)));
	}
	return workers;
}

/* Lists the kernel features that wgxdp has tried to use but this kernel lacks. */
static json_t *describe_lacks(const struct report *r)
{
	const struct dataplane_config *config = &r->dataplane->config;
	json_t *lacks = json_array();

	if (r->tunnel->no_tcx)
		json_array_append_new(lacks, json_string("tcx (Linux 6.6), so TC uses clsact"));
	if (config->tun->vnet_len && !config->tun->uso && !config->options->off.uso)
		json_array_append_new(lacks,
				      json_string("large UDP packets on TUN devices (Linux 6.2)"));
	return lacks;
}

static json_t *describe_path(const struct report *r, const struct path_stats *stats)
{
	const struct dataplane *d = r->dataplane;
	const struct paths *p = &d->paths;
	struct dataplane_usage usage;

	dataplane_usage(d, stats, &usage);
	return json_pack("{s:o, s:i, s:i, s:s, s:s, s:o, s:b, s:i, s:s, s:o, s:s?, s:s?,"
			 " s:{s:o, s:o}, s:{s:o, s:o}, s:o, s:o, s:b, s:b, s:o, s:i}",
			 "nic", describe_nics(p), "queues", (int)p->queue_count, "workers",
			 (int)d->workers.count, "rx", usage.rx_xdp ? "xdp" : "udp", "tx",
			 usage.tx_xdp ? "xdp" : "udp", "xdp_mode", describe_mode(p), "zero_copy",
			 p->queue_count && p->zero_copy_count == p->queue_count, "zero_copy_queues",
			 (int)p->zero_copy_count, "aead", aead_name(), "why",
			 *usage.why ? json_text(usage.why) : json_null(), "pinned",
			 d->loader ? loader_pinned(d->loader) : NULL, "pinned_why",
			 d->loader ? loader_unpinned_why(d->loader) : NULL, "rx_packets", "xsk",
			 number(stats->xsk_rx_packets), "udp", number(stats->udp_rx_packets),
			 "tx_packets", "xsk", number(stats->xsk_tx_packets), "udp",
			 number(stats->udp_tx_packets), "in_flight", number(stats->in_flight),
			 "per_worker", describe_workers(d), "bpf", d->loader != NULL, "rps",
			 r->tunnel->steered, "kernel_lacks", describe_lacks(r), "busy_poll_us",
			 p->busy_poll ? (int)d->config.options->xsk.busy_poll_us : 0);
}

/* Makes the object `config`; null if there is no config file. */
static json_t *describe_config(const struct report *r)
{
	struct report_config c;

	if (!r->config(r->ctx, &c))
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "path", json_text(c.path), "applied",
			 number(c.applied_unix_s), "error",
			 c.error ? json_text(c.error) : json_null(), "error_time",
			 c.error ? number(c.error_unix_s) : json_null(), "confirm",
			 c.confirm_left_s ? number(c.confirm_left_s) : json_null());
}

/* Makes the head of the reply: an object with the members that precede `peers`. */
static json_t *describe_device(const struct report *r, const struct path_stats *stats)
{
	const struct dataplane *d = r->dataplane;
	char key[KEYTEXT_BASE64_LEN + 1];

	keytext_to_base64(key, r->device->identity.public);
	return json_pack("{s:s, s:s, s:s?, s:i, s:I, s:i, s:b, s:o, s:o, s:o}", "interface",
			 d->config.tun->name, CONTROL_VERSION, WGXDP_VERSION, "public_key",
			 r->device->identity.set ? key : NULL, "listen_port",
			 (int)dataplane_port(d), "fwmark", (json_int_t)d->fwmark, "mtu",
			 (int)r->tunnel->mtu, "debug", diag_is_on(), "path",
			 describe_path(r, stats), "passes", describe_passes(r), "config",
			 describe_config(r));
}

/* Returns the text of @object and releases @object; NULL when out of memory. */
static char *text_of(json_t *object)
{
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

	json_decref(object);
	return text;
}

/* The reply is one JSON object: a head, the peers, and a tail. Head and tail are made at the same
 * time, so that their counts agree. The peers are inserted between head and tail later. */
static int show_begin(void *ctx, struct ctlserver_show *at, struct buffer *reply)
{
	const struct report *r = ctx;
	struct path_stats stats;
	json_t *dropped = json_object();
	char *head;

	describe_dropped(r, &stats, dropped);
	at->tail = text_of(dropped);
	head = text_of(describe_device(r, &stats));
	if (!at->tail || !head) {
		free(head);
		return -ENOMEM;
	}
	at->last_serial = r->device->last_serial;
	buffer_append(reply, head, strlen(head) - 1); /* without the closing brace */
	buffer_printf(reply, ",\"peers\":[");
	free(head);
	return SERVER_MORE;
}

static int show_more(void *ctx, struct ctlserver_show *at, struct buffer *reply)
{
	const struct report *r = ctx;
	bool first = !at->peer.serial;
	const struct peer *p = device_peer_next(r->device, &at->peer);
	char *text;

	if (!p || p->serial > at->last_serial) {
		buffer_printf(reply, "],");
		buffer_append(reply, at->tail + 1, strlen(at->tail + 1));
		buffer_append(reply, "\n", 1);
		return 0;
	}
	text = text_of(describe_peer(r, p));
	if (!text)
		return -ENOMEM;
	if (!first)
		buffer_append(reply, ",", 1);
	buffer_append(reply, text, strlen(text));
	free(text);
	return SERVER_MORE;
}

/* The reply also names the destination of the log messages. */
static json_t *set_debug(void *ctx, bool on)
{
	const struct report *r = ctx;
	char file[256];
	ssize_t n = readlink("/proc/self/fd/2", file, sizeof(file) - 1);

	file[n > 0 ? n : 0] = '\0';
	diag_set(r->diag, on);
	return json_pack("{s:b, s:s, s:s, s:i}", CONTROL_OK, 1, "log", log_where(), "stderr", file,
			 "pid", (int)getpid());
}

static json_t *logs(void *ctx)
{
	static const char *const levels[] = {
		[LOG_LEVEL_SILENT] = "",
		[LOG_LEVEL_ERROR] = "error",
		[LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_DEBUG] = "debug",
	};
	json_t *lines = json_array();
	struct log_line line = { 0 };
	uint64_t earlier = 0;

	(void)ctx;
	while (log_ring_next(&line)) {
		if (!json_array_size(lines))
			earlier = line.serial - 1;
		json_array_append_new(lines,
				      json_pack("{s:o, s:s, s:o}", "time_ms", number(line.time_ms),
						"level", levels[line.level], "text",
						json_text(line.text)));
	}
	return json_pack("{s:b, s:o, s:o}", CONTROL_OK, 1, "earlier", number(earlier), "lines",
			 lines);
}

static unsigned reload(void *ctx, bool exact, bool adopt, struct fault *f)
{
	const struct report *r = ctx;

	return r->reload(r->ctx, exact, adopt, f);
}

static unsigned settle(void *ctx, const char **error)
{
	const struct report *r = ctx;

	return r->settle(r->ctx, error);
}

static const char *confirm(void *ctx, bool wait)
{
	const struct report *r = ctx;

	return r->confirm(r->ctx, wait);
}

static const char *detach(void *ctx)
{
	const struct report *r = ctx;

	return r->detach(r->ctx);
}

const struct ctlserver_ops report_ops = {
	.show_begin = show_begin,
	.show_more = show_more,
	.set_debug = set_debug,
	.logs = logs,
	.reload = reload,
	.settle = settle,
	.confirm = confirm,
	.detach = detach,
};
