/* SPDX-License-Identifier: MIT */
#include "cli/probe.h"

#include <string.h>

#include "util/json_text.h"

/* To JSON -------------------------------------------------------------------------------------- */

static json_t *text_or_null(const char *text)
{
	return *text ? json_text(text) : json_null();
}

static json_t *answer(enum nic_answer a)
{
	return a == NIC_UNKNOWN ? json_null() : json_boolean(a == NIC_YES);
}

static json_t *channels(const struct nic_facts *f)
{
	const struct ethtool_counts *now = &f->channels, *max = &f->channels_max;

	if (!f->has_channels)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "rx", (json_int_t)now->rx, "tx",
			 (json_int_t)now->tx, "combined", (json_int_t)now->combined, "rx_max",
			 (json_int_t)max->rx, "tx_max", (json_int_t)max->tx, "combined_max",
			 (json_int_t)max->combined);
}

static json_t *rings(const struct nic_facts *f)
{
	if (!f->has_rings)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I}", "rx", (json_int_t)f->rings.rx, "tx",
			 (json_int_t)f->rings.tx, "rx_max", (json_int_t)f->rings.rx_max, "tx_max",
			 (json_int_t)f->rings.tx_max);
}

static json_t *offloads(const struct nic_facts *f)
{
	json_t *all = json_object();

	for (int i = 0; i < ETHTOOL_OFFLOADS; i++) {
		const struct ethtool_offload_state *s = &f->offloads[i];

		if (s->known)
			json_object_set_new(all, ethtool_offload_name((enum ethtool_offload)i),
					    json_pack("{s:b, s:b}", "on", s->on, "fixed",
						      s->fixed));
	}
	return all;
}

static void append(json_t *list, const char *text)
{
	if (*text)
		json_array_append_new(list, json_text(text));
}

static json_t *bypassed(const struct nic_facts *f)
{
	json_t *list = json_array();

	append(list, f->bypassed.egress);
	append(list, f->bypassed.ingress);
	append(list, f->ipsec == NIC_YES ? "IPsec policies" : "");
	/* Skip a chain that bypassed.egress already names. */
	if (*f->hooks.route && !strstr(f->bypassed.egress, "nftables chain"))
		json_array_append_new(list, json_sprintf("routing by the nf_tables chain %s",
							 f->hooks.route));
	if (*f->hooks.nat)
		json_array_append_new(list, json_sprintf("translation by the nf_tables chain %s",
							 f->hooks.nat));
	return list;
}

static json_t *sockets(const struct nic_facts *f)
{
	char text[XSK_OWNER_TEXT_LEN];
	json_t *list = f->owners.known ? json_array() : json_null();

	for (unsigned i = 0; i < f->owners.count; i++)
		append(list, xsk_owner_text(&f->owners.items[i], text));
	return list;
}

static json_t *unseen(const struct nic_facts *f)
{
	json_t *list = json_array();

	append(list, f->ipsec == NIC_UNKNOWN ? "IPsec policies" : "");
	append(list, f->netfilter == NIC_UNKNOWN ? "nf_tables" : "");
	append(list, f->privileged ? "" : "tcx programs");
	return list;
}

static json_t *advice(const struct nic_judgement *j)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < j->count; i++)
		json_array_append_new(list, json_pack("{s:o, s:o, s:b}", "why",
						      json_text(j->advice[i].why), "command",
						      json_text(j->advice[i].command), "tune",
						      j->advice[i].tunable));
	return list;
}

/* Returns the reasons as one JSON string, or JSON null if there are none. */
static json_t *why(const struct nic_judgement *j)
{
	char text[NIC_REASONS_MAX * sizeof(struct nic_reason)] = "";
	size_t len = 0;

	for (unsigned i = 0; i < j->reason_count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? "; " : "",
					j->reasons[i].sentence.text);
	return text_or_null(text);
}

json_t *probe_json(const struct nic_facts *f, const struct nic_judgement *j)
{
	return json_pack("{s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, "
			 "s:s, s:o, s:o}",
			 "nic", json_text(f->link.name), "driver", text_or_null(f->driver), "kind",
			 text_or_null(f->link.kind), "mtu", (json_int_t)f->link.mtu, "native_xdp",
			 answer(f->native), "zero_copy", answer(f->zero_copy), "channels",
			 channels(f), "rings", rings(f), "offloads", offloads(f), "xdp_program",
			 text_or_null(f->program), "sockets", sockets(f), "bypassed", bypassed(f),
			 "unseen", unseen(f), "rx", j->rx_xdp ? "xdp" : "udp", "tx",
			 j->tx_xdp ? "xdp" : "udp", "why", why(j), "advice", advice(j));
}

/* To text -------------------------------------------------------------------------------------- */

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

static long long number(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

/* Prints @before and for example "rx 256 of 1024", or nothing if the driver does not report @key.
 * Returns what to print before the next value. */
static const char *print_of(FILE *out, const char *before, const json_t *o, const char *key)
{
	char max_key[32];
	long long max;

	snprintf(max_key, sizeof(max_key), "%s_max", key);
	max = number(o, max_key);
	if (max)
		fprintf(out, "%s%s %lld of %lld", before, key, number(o, key), max);
	return max ? ", " : before;
}

static void print_counts(FILE *out, const char *title, const json_t *o)
{
	const char *before = "";

	fprintf(out, "  %s: ", title);
	before = print_of(out, before, o, "combined");
	before = print_of(out, before, o, "rx");
	before = print_of(out, before, o, "tx");
	fprintf(out, "%s\n", *before ? "" : "not reported by the driver");
}

static void print_xdp(FILE *out, const json_t *nic)
{
	const json_t *native = json_object_get(nic, "native_xdp");
	const json_t *zero_copy = json_object_get(nic, "zero_copy");

	fprintf(out, "  xdp: ");
	if (json_is_null(native))
		fprintf(out, "unknown before Linux 6.3");
	else if (json_is_true(native))
		fprintf(out, "native; zero-copy %s",
			json_is_true(zero_copy) ? "offered" : "not offered, so the kernel copies");
	else
		fprintf(out, "generic only");
	fprintf(out, "\n");
	if (*text(nic, "xdp_program"))
		fprintf(out, "  attached: %s\n", text(nic, "xdp_program"));
}

static void print_offloads(FILE *out, json_t *all)
{
	const char *name, *before = "  offloads: ";
	json_t *state;

	json_object_foreach (all, name, state) {
		fprintf(out, "%s%s %s%s", before, name,
			json_is_true(json_object_get(state, "on")) ? "on" : "off",
			json_is_true(json_object_get(state, "fixed")) ? " (fixed)" : "");
		before = ", ";
	}
	if (json_object_size(all))
		fprintf(out, "\n");
}

static void print_list(FILE *out, const char *title, const json_t *list, const char *end)
{
	const json_t *thing;
	size_t i;

	json_array_foreach (list, i, thing)
		fprintf(out, "%s%s", i ? "; " : title, json_string_value(thing));
	if (json_array_size(list))
		fprintf(out, "%s\n", end);
}

void probe_print(FILE *out, const json_t *nic)
{
	const json_t *advice = json_object_get(nic, "advice"), *a;
	size_t i;

	fprintf(out, "nic: %s\n", text(nic, "nic"));
	fprintf(out, "  driver: %s\n", *text(nic, "driver") ? text(nic, "driver") : "unknown");
	fprintf(out, "  mtu: %lld\n", number(nic, "mtu"));
	print_xdp(out, nic);
	print_list(out, "  AF_XDP sockets: ", json_object_get(nic, "sockets"), "");
	print_counts(out, "queues", json_object_get(nic, "channels"));
	print_counts(out, "rings", json_object_get(nic, "rings"));
	print_offloads(out, json_object_get(nic, "offloads"));
	print_list(out, "  AF_XDP would bypass: ", json_object_get(nic, "bypassed"), "");
	print_list(out, "  not looked at: ", json_object_get(nic, "unseen"),
		   " (this needs root, or CAP_NET_ADMIN)");
	fprintf(out, "  auto: rx %s, tx %s\n", text(nic, "rx"), text(nic, "tx"));
	if (*text(nic, "why"))
		fprintf(out, "  why: %s\n", text(nic, "why"));
	json_array_foreach (advice, i, a)
		fprintf(out, "  advice: %s%s\n    %s\n", text(a, "why"),
			json_is_true(json_object_get(a, "tune")) ? " (attach --tune does this)"
								 : "",
			text(a, "command"));
}
