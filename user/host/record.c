/* SPDX-License-Identifier: MIT */
#include "host/record.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/guard.h"
#include "host/host.h"
#include "host/record_file.h"
#include "host/valid_mark.h"
#include "io/netlink.h"
#include "io/netns.h"
#include "util/log.h"
#include "wgxdp/control.h"
#include "wgxdp/limits.h"

#define SUFFIX "host"

bool record_is_empty(const struct record *r)
{
	return !r->nft4 && !r->nft6 && !r->src_valid_mark && r->dns.tool == DNS_NOTHING &&
	       r->other_dns.tool == DNS_NOTHING && !r->rules.count;
}

uint32_t record_mark(const struct record *r)
{
	uint32_t mark = 0;

	for (unsigned i = 0; i < r->rules.count; i++) {
		uint32_t one = r->rules.list[i].fwmark;

		if (one && mark && one != mark)
			return 0;
		mark = one ? one : mark;
	}
	return r->nft4 || r->nft6 ? mark : 0;
}

/* Writing -------------------------------------------------------------------------------------- */

static const char *const tools[] = {
	[DNS_NOTHING] = "",
	[DNS_RESOLVECTL] = "resolvectl",
	[DNS_RESOLVCONF] = "resolvconf",
};

/* Returns a new object, or NULL when out of memory. */
static json_t *pack(const struct record *r)
{
	json_t *rules = json_array();
	int failed = 0;

	for (unsigned i = 0; i < r->rules.count; i++) {
		const struct netlink_rule *rule = &r->rules.list[i];

		failed |= json_array_append_new(
			rules,
			json_pack("{s:i, s:I, s:I, s:I, s:b, s:i}", "family",
				  rule->family == AF_INET ? 4 : 6, "priority",
				  (json_int_t)rule->priority, "table", (json_int_t)rule->table,
				  "fwmark", (json_int_t)rule->fwmark, "invert", rule->invert,
				  "suppress", rule->suppress_prefixlength));
	}
	if (failed) {
		json_decref(rules);
		return NULL;
	}
	return json_pack("{s:I, s:b, s:b, s:b, s:s, s:s, s:s, s:s, s:o}", "netns",
			 (json_int_t)r->netns, "src_valid_mark", r->src_valid_mark, "nft4", r->nft4,
			 "nft6", r->nft6, "dns", tools[r->dns.tool], "dns_name", r->dns.name,
			 "other_dns", tools[r->other_dns.tool], "other_dns_name", r->other_dns.name,
			 "rules", rules);
}

int record_write(const char *interface, const struct record *r, struct fault *f)
{
	char path[RECORD_FILE_PATH_LEN];
	bool empty = record_is_empty(r);

	record_file_path(path, interface, SUFFIX);
	return record_file_write(path, empty, empty ? NULL : pack(r), f);
}

/* Reading -------------------------------------------------------------------------------------- */

static bool in_range(json_int_t value, json_int_t low, json_int_t high)
{
	return value >= low && value <= high;
}

static int parse_rule(json_t *json, struct netlink_rule *rule)
{
	json_int_t family, priority, table, fwmark, suppress;
	int invert;

	if (json_unpack(json, "{s:I, s:I, s:I, s:I, s:b, s:I}", "family", &family, "priority",
			&priority, "table", &table, "fwmark", &fwmark, "invert", &invert,
			"suppress", &suppress) ||
	    (family != 4 && family != 6) || !in_range(priority, 0, UINT32_MAX) ||
	    !in_range(table, 0, UINT32_MAX) || !in_range(fwmark, 0, UINT32_MAX) ||
	    !in_range(suppress, -1, 128))
		return -EINVAL;
	*rule = (struct netlink_rule){
		.family = family == 4 ? AF_INET : AF_INET6,
		.priority = (uint32_t)priority,
		.table = (uint32_t)table,
		.fwmark = (uint32_t)fwmark,
		.invert = invert,
		.suppress_prefixlength = (int32_t)suppress,
	};
	return 0;
}

static int parse_dns(struct dns *dns, const char *tool, const char *name)
{
	for (unsigned i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
		if (!strcmp(tool, tools[i]))
			dns->tool = (enum dns_tool)i;
	if ((*tool && dns->tool == DNS_NOTHING) || strlen(name) >= sizeof(dns->name))
		return -EINVAL;
	snprintf(dns->name, sizeof(dns->name), "%s", name);
	return 0;
}

static int parse(json_t *json, struct record *r)
{
	const char *tool, *name, *other_tool = "", *other_name = "";
	int nft4, nft6, mark, err;
	json_int_t netns;
	json_t *rules;

	if (json_unpack(json, "{s:I, s:b, s:b, s:b, s:s, s:s, s?s, s?s, s:o}", "netns", &netns,
			"src_valid_mark", &mark, "nft4", &nft4, "nft6", &nft6, "dns", &tool,
			"dns_name", &name, "other_dns", &other_tool, "other_dns_name", &other_name,
			"rules", &rules) ||
	    json_array_size(rules) > RULES_MAX)
		return -EINVAL;
	*r = (struct record){
		.netns = (uint64_t)netns,
		.nft4 = nft4,
		.nft6 = nft6,
		.src_valid_mark = mark,
	};
	err = parse_dns(&r->dns, tool, name);
	if (!err)
		err = parse_dns(&r->other_dns, other_tool, other_name);
	for (size_t i = 0; i < json_array_size(rules) && !err; i++) {
		err = parse_rule(json_array_get(rules, i), &r->rules.list[i]);
		r->rules.ours[i] = true;
		r->rules.count += !err;
	}
	return err;
}

int record_parse(struct record *r, const char *text, size_t len)
{
	json_t *json = json_loadb(text, len, 0, NULL);
	struct record new = { .netns = 0 };
	int err = json ? parse(json, &new) : -EINVAL;

	json_decref(json);
	if (!err)
		*r = new;
	return err;
}

/* Undoing -------------------------------------------------------------------------------------- */

static void keep_first(int *first, int err, struct fault *f, const struct fault *one)
{
	if (!err || *first)
		return;
	*first = err;
	if (f)
		*f = *one;
}

int record_undo_dns(struct dns *d, struct fault *f)
{
	int err = dns_unset(d, f);

	if (!fault_is_limit(err) && err != -ENOMEM && err != -EAGAIN)
		*d = (struct dns){ .tool = DNS_NOTHING };
	return err;
}

static int undo_valid_mark(struct record *r, struct netlink *nl, struct fault *f)
{
	int err = valid_mark_unset(nl);

	if (err)
		return fault(f, err, "net.ipv4.conf.all.src_valid_mark: %s", strerror(-err));
	r->src_valid_mark = false;
	return 0;
}

int record_undo(const char *interface, struct record *r, struct fault *f)
{
	struct netlink *nl = netlink_open();
	struct fault one = { "" };
	int err = nl ? 0 : -errno, nft_err;

	if (nl)
		err = rules_unset(&r->rules, nl, NULL);
	if (err)
		fault(f, err, "rules: %s", strerror(-err));
	else
		r->rules.count = 0;
	nft_err = guard_delete(interface, r->nft4, r->nft6, &one);
	keep_first(&err, nft_err, f, &one);
	if (!nft_err)
		r->nft4 = r->nft6 = false;
	/* valid_mark_unset() would take a rule of ours that is left for one of another program. */
	if (r->src_valid_mark && nl && !r->rules.count)
		keep_first(&err, undo_valid_mark(r, nl, &one), f, &one);
	keep_first(&err, record_undo_dns(&r->dns, &one), f, &one);
	keep_first(&err, record_undo_dns(&r->other_dns, &one), f, &one);
	netlink_close(nl);
	return err;
}

/* Dead daemons --------------------------------------------------------------------------------- */

struct undo {
	const char *interface;
	struct record *record;
	struct fault fault;
};

static int run_undo(void *ctx)
{
	struct undo *u = ctx;

	return record_undo(u->interface, u->record, &u->fault);
}

/* Reads the record. Returns 0; -ENOENT if there is none; -EINVAL after logging that the file is not
 * a record; or another -errno with @f filled in if the record cannot be read now. */
static int read_record(const char *interface, struct record *r, struct fault *f)
{
	char path[RECORD_FILE_PATH_LEN];
	struct record new = { .netns = 0 };
	json_t *json = NULL;
	int err;

	record_file_path(path, interface, SUFFIX);
	err = record_file_read(path, &json, f);
	if (err)
		return err;
	err = parse(json, &new);
	json_decref(json);
	if (err)
		record_file_complain(path);
	else
		*r = new;
	return err;
}

bool record_others_valid_mark(const char *interface)
{
	uint64_t here = netns_of_process("self");
	DIR *directory = opendir(CONTROL_DIRECTORY);
	const struct dirent *entry;
	bool found = false;

	while (directory && !found && (entry = readdir(directory))) {
		char name[IFNAME_MAX + 1];
		struct record r = { .netns = 0 };
		const char *end = strrchr(entry->d_name, '.');

		if (!end || strcmp(end, "." SUFFIX) != 0 || end - entry->d_name > IFNAME_MAX)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(end - entry->d_name), entry->d_name);
		found = strcmp(name, interface) != 0 && read_record(name, &r, NULL) == 0 &&
			r.netns == here && r.src_valid_mark;
	}
	if (directory)
		closedir(directory);
	return found;
}

int record_take_over(const char *interface, struct record *r, struct fault *f)
{
	struct fault why;
	int err = read_record(interface, r, f);

	if (err)
		return err == -ENOENT || err == -EINVAL ? 0 : err;
	if (!r->netns || r->netns == netns_of_process("self"))
		return 1;
	/* If settings are left, the new daemon must not replace their record by its own. */
	err = host_record_undo(interface, &why);
	if (err)
		return fault(f, err, "%.380s; run `wgxdp detach %s%s` and attach again", why.text,
			     fault_dashes(interface), interface);
	return 0;
}

/* Returns true if @interface has a record of this network namespace. Logs why a record cannot be
 * read. */
static bool read_own_record(const char *interface, struct record *r)
{
	struct fault f;
	int err = read_record(interface, r, &f);

	if (err && err != -ENOENT && err != -EINVAL)
		log_error("%s", f.text);
	return !err && r->netns == netns_of_process("self");
}

bool host_record_exists(const char *interface)
{
	char path[RECORD_FILE_PATH_LEN];

	record_file_path(path, interface, SUFFIX);
	return access(path, F_OK) == 0;
}

uint32_t host_record_mark(const char *interface)
{
	struct record r = { .netns = 0 };

	return read_own_record(interface, &r) ? record_mark(&r) : 0;
}

void host_record_unset_dns(const char *interface)
{
	struct record r = { .netns = 0 };
	struct fault f = { "" }, one = { "" };
	int err;

	if (!read_own_record(interface, &r))
		return;
	err = record_undo_dns(&r.dns, &f);
	keep_first(&err, record_undo_dns(&r.other_dns, &one), &f, &one);
	if (err)
		log_error(
			"cannot remove the DNS servers that a daemon set before it was killed: %s",
			f.text);
	(void)record_write(interface, &r, NULL);
}

int host_record_undo(const char *interface, struct fault *f)
{
	char path[RECORD_FILE_PATH_LEN];
	struct record r = { .netns = 0 };
	struct undo u = { .interface = interface, .record = &r };
	int err = read_record(interface, &r, f);
	const char *why;

	if (err && err != -ENOENT && err != -EINVAL)
		return err;
	err = err ? 0 : record_file_in_netns(r.netns, run_undo, &u);
	if (err == -ESTALE) {
		r = (struct record){ .netns = 0 };
		err = 0;
	}
	/* Record what could not be undone. The next attach or detach tries again. */
	(void)record_write(interface, &r, NULL);
	if (!err)
		return 0;
	why = *u.fault.text ? u.fault.text : strerror(-err);
	record_file_path(path, interface, SUFFIX);
	if (!record_is_empty(&r))
		return fault(f, err, "%s: some settings in this record could not be undone: %.400s",
			     path, why);
	log_error("some host settings of a daemon that was killed could not be undone: %s", why);
	return 0;
}
