/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/ctlclient.h"
#include "conf/conf.h"
#include "daemon/name_lock.h"
#include "wgxdp/control.h"
#include "wgxdp/reasons.h"

#define TIMEOUT_S 10

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* Returns the text of a member, or "" if there is no such member. */
static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

/* Prints for example "1 minute, 5 seconds". */
static void print_duration(FILE *out, long long s)
{
	static const struct {
		const char *name;
		long long s;
	} units[] = { { "year", 365 * 86400 },
		      { "day", 86400 },
		      { "hour", 3600 },
		      { "minute", 60 },
		      { "second", 1 } };
	const char *comma = "";

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		long long n = s / units[i].s;

		s %= units[i].s;
		if (!n)
			continue;
		fprintf(out, "%s%lld %s%s", comma, n, units[i].name, n == 1 ? "" : "s");
		comma = ", ";
	}
}

static void print_bytes(FILE *out, json_int_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double n = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		fprintf(out, "%lld B", (long long)bytes);
		return;
	}
	for (; n >= 1024 && i < 3; i++)
		n /= 1024;
	fprintf(out, "%.2f %s", n, units[i]);
}

/* Prints one line with the features that the kernel lacks. Prints nothing if the list is empty. */
static void print_lacks(FILE *out, const json_t *lacks)
{
	const json_t *thing;
	size_t i;

	json_array_foreach (lacks, i, thing)
		fprintf(out, "%s%s", i ? "; " : "  this kernel lacks: ", json_string_value(thing));
	if (json_array_size(lacks))
		fprintf(out, "\n");
}

static void print_mode(FILE *out, const json_t *path, json_int_t queues)
{
	json_int_t zero_copy = number(path, "zero_copy_queues");
	bool all = json_is_true(json_object_get(path, "zero_copy"));

	fprintf(out, ", %s, zero-copy %s", text(path, "xdp_mode"), all || zero_copy ? "on" : "off");
	if (zero_copy && !all)
		fprintf(out, " (%lld of %lld queues)", (long long)zero_copy, (long long)queues);
}

static void print_path(FILE *out, const json_t *path)
{
	const json_t *rx = json_object_get(path, "rx_packets");
	const json_t *tx = json_object_get(path, "tx_packets");
	json_int_t queues = number(path, "queues"), workers = number(path, "workers");

	fprintf(out, "  path: rx %s, tx %s", text(path, "rx"), text(path, "tx"));
	if (*text(path, "xdp_mode"))
		print_mode(out, path, queues);
	if (number(path, "busy_poll_us"))
		fprintf(out, ", busy polling %lld us", (long long)number(path, "busy_poll_us"));
	if (*text(path, "nic"))
		fprintf(out, "; %s, %lld queue%s", text(path, "nic"), (long long)queues,
			queues == 1 ? "" : "s");
	fprintf(out, "; %lld worker%s; %s\n", (long long)workers, workers == 1 ? "" : "s",
		text(path, "aead"));
	if (*text(path, "why"))
		fprintf(out, "  why: %s\n", text(path, "why"));
	if (*text(path, "pinned"))
		fprintf(out, "  maps: %s\n", text(path, "pinned"));
	else if (*text(path, "pinned_why"))
		fprintf(out, "  maps: not pinned: %s\n", text(path, "pinned_why"));
	if (json_is_true(json_object_get(path, "rps")))
		fprintf(out, "  rps: on for this interface, so TC checks only that an inner source "
			     "address belongs to some peer, not that it belongs to the sender\n");
	print_lacks(out, json_object_get(path, "kernel_lacks"));
	fprintf(out, "  data messages: received %lld xsk, %lld udp; sent %lld xsk, %lld udp\n",
		(long long)number(rx, "xsk"), (long long)number(rx, "udp"),
		(long long)number(tx, "xsk"), (long long)number(tx, "udp"));
	if (number(path, "in_flight"))
		fprintf(out, "  in flight: %lld messages that the NIC has not sent yet\n",
			(long long)number(path, "in_flight"));
}

static const char *sentence(const char *reason)
{
#define X(id, name, words)                                                                         \
	if (strcmp(reason, #name) == 0)                                                            \
		return words;
	FOREACH_REASON(X)
#undef X
#define X(name, words)                                                                             \
	if (strcmp(reason, #name) == 0)                                                            \
		return words;
	FOREACH_LOSS(X)
#undef X
	return "a reason this version does not know";
}

static void print_reasons(FILE *out, json_t *reasons)
{
	const char *reason;
	json_t *packets;

	json_object_foreach (reasons, reason, packets)
		fprintf(out, "    %s: %lld (%s)\n", reason, (long long)json_integer_value(packets),
			sentence(reason));
}

static void print_ledger(FILE *out, const json_t *interface)
{
	json_t *drops = json_object_get(interface, "drops");
	json_t *lost = json_object_get(interface, "lost");
	json_t *passes = json_object_get(interface, "passes");

	if (json_object_size(drops) || json_object_size(lost)) {
		fprintf(out, "  dropped: %lld\n", (long long)number(interface, "dropped"));
		print_reasons(out, drops);
		print_reasons(out, lost);
	}
	if (json_object_size(passes)) {
		fprintf(out, "  passed to the network stack:\n");
		print_reasons(out, passes);
	}
}

static void print_handshake(FILE *out, long long at, long long now)
{
	if (!at)
		return;
	fprintf(out, "  latest handshake: ");
	if (at > now)
		fprintf(out, "in the future; the clock was set back");
	else if (at == now)
		fprintf(out, "now");
	else
		print_duration(out, now - at);
	fprintf(out, at < now ? " ago\n" : "\n");
}

static void print_endpoint(FILE *out, const json_t *peer)
{
	const char *endpoint = text(peer, "endpoint"), *name = text(peer, "endpoint_name");
	const char *why = text(peer, "endpoint_name_why");

	if (*name && !*endpoint)
		fprintf(out, "  endpoint: %s (unresolved: %s)\n", name, why);
	else if (*name)
		fprintf(out, "  endpoint: %s (from %s%s%s)\n", endpoint, name, *why ? "; " : "",
			why);
	else if (*endpoint)
		fprintf(out, "  endpoint: %s\n", endpoint);
}

static void print_peer(FILE *out, const json_t *peer, long long now)
{
	const json_t *allowed = json_object_get(peer, "allowed_ips");
	json_int_t keepalive_s = number(peer, "persistent_keepalive");
	json_int_t rx = number(peer, "rx_bytes"), tx = number(peer, "tx_bytes");
	const json_t *prefix;
	size_t i;

	fprintf(out, "\npeer: %s\n", text(peer, "public_key"));
	if (*text(peer, "name"))
		fprintf(out, "  name: %s\n", text(peer, "name"));
	print_endpoint(out, peer);
	if (*text(peer, "why"))
		fprintf(out, "  data to this peer%s: %s\n",
			!strcmp(text(peer, "tx"), "udp") ? " goes through the UDP socket" : "",
			text(peer, "why"));
	if (json_is_true(json_object_get(peer, "trains_refused")))
		fprintf(out,
			"  the kernel refused UDP segmentation: datagrams are sent one by one\n");
	fprintf(out, "  allowed ips: ");
	json_array_foreach (allowed, i, prefix)
		fprintf(out, "%s%s", i ? ", " : "", json_string_value(prefix));
	fprintf(out, "%s\n", json_array_size(allowed) ? "" : "(none)");
	print_handshake(out, number(peer, "latest_handshake"), now);
	if (rx || tx) {
		fprintf(out, "  transfer: ");
		print_bytes(out, rx);
		fprintf(out, " received, ");
		print_bytes(out, tx);
		fprintf(out, " sent\n");
	}
	if (keepalive_s) {
		fprintf(out, "  persistent keepalive: every ");
		print_duration(out, keepalive_s);
		fprintf(out, "\n");
	}
}

/* Prints "now", or for example "5 seconds ago". */
static void print_ago(FILE *out, long long at, long long now)
{
	if (at >= now) {
		fprintf(out, "now");
		return;
	}
	print_duration(out, now - at);
	fprintf(out, " ago");
}

static void print_config(FILE *out, const json_t *config, long long now)
{
	if (!*text(config, "path"))
		return;
	fprintf(out, "  config: %s, applied ", text(config, "path"));
	print_ago(out, number(config, "applied"), now);
	fprintf(out, "\n");
	if (number(config, "confirm"))
		fprintf(out,
			"  not confirmed: in %lld s everything is undone, unless you run wgxdp "
			"confirm\n",
			(long long)number(config, "confirm"));
	if (!*text(config, "error"))
		return;
	fprintf(out, "  reload failed ");
	print_ago(out, number(config, "error_time"), now);
	fprintf(out, ": %s\n", text(config, "error"));
}

void show_print(FILE *out, const json_t *interface, long long now)
{
	const json_t *peers = json_object_get(interface, "peers"), *peer;
	json_int_t mark = number(interface, "fwmark");
	struct fault versions;
	size_t i;

	fprintf(out, "interface: %s\n", text(interface, "interface"));
	fprintf(out, "  public key: %s\n",
		*text(interface, "public_key") ? text(interface, "public_key")
					       : "(none; no private key is set)");
	if (number(interface, "listen_port"))
		fprintf(out, "  listening port: %lld\n",
			(long long)number(interface, "listen_port"));
	if (mark)
		fprintf(out, "  fwmark: 0x%llx\n", (unsigned long long)mark);
	fprintf(out, "  mtu: %lld\n", (long long)number(interface, "mtu"));
	if (ctlclient_version_differs(text(interface, "interface"), interface, &versions))
		fprintf(out, "  version: %s\n", versions.text);
	if (json_is_true(json_object_get(interface, "debug")))
		fprintf(out, "  debugging: on\n");
	print_config(out, json_object_get(interface, "config"), now);
	print_path(out, json_object_get(interface, "path"));
	print_ledger(out, interface);
	json_array_foreach (peers, i, peer)
		print_peer(out, peer, now);
}

/* If the directory of the pins does not exist here, sets pinned_why instead of pinned. A daemon
 * that was started in another mount namespace, for example by `ip netns exec` or in a container,
 * has pinned its maps in a bpffs that may not be visible here. */
static void check_pins(json_t *path)
{
	const char *pinned = text(path, "pinned");

	if (!*pinned || access(pinned, F_OK) == 0)
		return;
	json_object_set_new(path, "pinned_why",
			    json_sprintf("%s exists only in the mount namespace of the daemon",
					 pinned));
	json_object_set_new(path, "pinned", json_null());
}

/* Shows one interface; with @json, as one object on one line. Without @json, prints an empty line
 * above each interface but the @first. Returns 0 or -errno. */
static int show_one(const char *interface, bool json, bool first, struct fault *f)
{
	json_t *reply = NULL;
	int err = ctlclient_request(interface, CONTROL_OP_SHOW, TIMEOUT_S, &reply, f);

	if (err)
		return err;
	check_pins(json_object_get(reply, "path"));
	if (json) {
		json_dumpf(reply, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		if (!first)
			putchar('\n');
		show_print(stdout, reply, (long long)time(NULL));
	}
	json_decref(reply);
	return 0;
}

static int show_all(bool json)
{
	char(*names)[IFNAME_MAX + 1] = NULL;
	bool first = true;
	struct fault f;
	int n = ctlclient_interfaces(&names, &f), code = CLI_OK, pid;

	if (n < 0)
		return cli_fail(CLI_FAILED, "%s", f.text);
	for (int i = 0; i < n; i++) {
		int err = show_one(names[i], json, first, &f);

		/* The daemon may have ended during the request. Ask again: the answer is then
		 * -ENOENT, which is not an error here. */
		if (err == -ECONNRESET || err == -EPIPE)
			err = show_one(names[i], json, first, &f);
		if (!err)
			first = false;
		else if (err != -ENOENT)
			code = cli_fail(CLI_FAILED, "%s", f.text);
		else if (name_lock_is_stale(names[i], &pid)) /* the daemon was killed */
			cli_warn(NULL, f.text);
	}
	free(names);
	return code;
}

int show_main(int argc, char **argv)
{
	char interface[IFNAME_MAX + 1];
	const char *name = NULL;
	bool json = false;
	struct fault f;

	for (int i = 1; i < argc; i++) {
		bool option = cli_is_option(&argv[i]);

		if (option && strcmp(argv[i], "--json") == 0)
			json = true;
		else if (option || name)
			return cli_fail(CLI_USAGE,
					"%s: unexpected argument; usage: wgxdp show [IFACE] "
					"[--json]%s",
					argv[i], option ? cli_dash_hint(argv[i]) : "");
		else
			name = argv[i];
	}
	if (!name)
		return show_all(json);
	if (conf_interface(name, interface, &f) || show_one(interface, json, true, &f))
		return cli_fail(CLI_FAILED, "%s", f.text);
	return CLI_OK;
}
