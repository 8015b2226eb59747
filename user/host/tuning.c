/* SPDX-License-Identifier: MIT */
#include "host/tuning.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/record_file.h"
#include "io/netlink.h"
#include "io/netns.h"
#include "util/file.h"
#include "util/log.h"

#define SUFFIX "nics"

/* Restoring the number of channels is retried every PAUSE_MS for PATIENCE_MS, because the kernel
 * refuses to lower this number while a queue belongs to an AF_XDP socket. The kernel releases the
 * queue about 30 ms after the socket is closed. */
#define PATIENCE_MS 1000
#define PAUSE_MS 10

#define MASTERS_MAX 8 /* links to check: a NIC, and the bridges and bonds above it */

/* The record ----------------------------------------------------------------------------------- */

static json_t *pack_counts(const struct ethtool_counts *c)
{
	return json_pack("[I, I, I]", (json_int_t)c->rx, (json_int_t)c->tx,
			 (json_int_t)c->combined);
}

/* Returns a new object, or NULL when out of memory. */
static json_t *pack(const struct tuning *t)
{
	json_t *changes = json_array();
	int failed = 0;

	for (unsigned i = 0; i < t->count; i++) {
		const struct tuning_change *c = &t->changes[i];
		json_t *one = json_pack("{s:I}", "ifindex", (json_int_t)c->ifindex);

		if (c->is_offload)
			failed |= json_object_set_new(
				one, "offload", json_string(ethtool_offload_name(c->offload)));
		else
			failed |= json_object_set_new(one, "channels",
						      json_pack("[o, o]", pack_counts(&c->before),
								pack_counts(&c->after)));
		failed |= json_array_append_new(changes, one);
	}
	if (failed) {
		json_decref(changes);
		return NULL;
	}
	return json_pack("{s:I, s:o}", "netns", (json_int_t)t->netns, "changes", changes);
}

static int write_record(const struct tuning *t, struct fault *f)
{
	char path[RECORD_FILE_PATH_LEN];

	record_file_path(path, t->interface, SUFFIX);
	return record_file_write(path, !t->count, t->count ? pack(t) : NULL, f);
}

static bool parse_count(const json_t *list, size_t i, uint32_t *out)
{
	const json_t *number = json_array_get(list, i);
	json_int_t value = json_integer_value(number);

	*out = (uint32_t)value;
	return json_is_integer(number) && value >= 0 && value <= UINT16_MAX;
}

static bool parse_counts(const json_t *list, struct ethtool_counts *c)
{
	return json_array_size(list) == 3 && parse_count(list, 0, &c->rx) &&
	       parse_count(list, 1, &c->tx) && parse_count(list, 2, &c->combined);
}

static bool parse_offload(const char *name, enum ethtool_offload *out)
{
	for (int i = 0; name && i < ETHTOOL_OFFLOADS; i++)
		if (!strcmp(name, ethtool_offload_name((enum ethtool_offload)i))) {
			*out = (enum ethtool_offload)i;
			return true;
		}
	return false;
}

static bool parse_change(const json_t *json, struct tuning_change *c)
{
	const json_t *channels = json_object_get(json, "channels");
	json_int_t ifindex = json_integer_value(json_object_get(json, "ifindex"));

	if (ifindex <= 0 || ifindex > INT32_MAX)
		return false;
	*c = (struct tuning_change){ .ifindex = (uint32_t)ifindex, .is_offload = !channels };
	if (c->is_offload)
		return parse_offload(json_string_value(json_object_get(json, "offload")),
				     &c->offload);
	return json_array_size(channels) == 2 &&
	       parse_counts(json_array_get(channels, 0), &c->before) &&
	       parse_counts(json_array_get(channels, 1), &c->after);
}

int tuning_parse(struct tuning *t, json_t *json)
{
	const json_t *netns = json_object_get(json, "netns");
	const json_t *changes = json_object_get(json, "changes");
	struct tuning new = { .interface = t->interface,
			      .netns = (uint64_t)json_integer_value(netns) };

	if (!json_is_integer(netns) || !json_is_array(changes) ||
	    json_array_size(changes) > TUNING_MAX)
		return -EINVAL;
	for (; new.count < json_array_size(changes); new.count++)
		if (!parse_change(json_array_get(changes, new.count), &new.changes[new.count]))
			return -EINVAL;
	*t = new;
	return 0;
}

/* Changing ------------------------------------------------------------------------------------- */

void tuning_command(char text[static TUNING_COMMAND_LEN], const char *nic,
		    const struct tuning_change *change, bool back)
{
	const struct ethtool_counts *c = back ? &change->before : &change->after;

	if (change->is_offload)
		snprintf(text, TUNING_COMMAND_LEN, "ethtool -K %s %s %s", nic,
			 ethtool_offload_name(change->offload), back ? "on" : "off");
	else if (change->before.combined || change->after.combined)
		snprintf(text, TUNING_COMMAND_LEN, "ethtool -L %s combined %u", nic, c->combined);
	else
		snprintf(text, TUNING_COMMAND_LEN, "ethtool -L %s rx %u tx %u", nic, c->rx, c->tx);
}

int tuning_make(struct tuning *t, const char *nic, const struct tuning_change *change,
		struct fault *f)
{
	char command[TUNING_COMMAND_LEN];
	int err;

	tuning_command(command, nic, change, false);
	if (t->count == TUNING_MAX)
		return fault(f, -ENOSPC,
			     "`%s` is not run, because wgxdp has already recorded changes of %d "
			     "settings, which is the limit",
			     command, TUNING_MAX);
	t->netns = netns_of_process("self");
	t->changes[t->count++] = *change;
	err = write_record(t, f);
	if (err)
		goto failed;
	err = change->is_offload ? ethtool_set_offload(nic, change->offload, false)
				 : ethtool_set_channels(nic, &change->after);
	if (!err)
		return 0;
	fault(f, err, "`%s` failed: %s; the setting is unchanged", command, strerror(-err));
failed:
	t->count--;
	(void)write_record(t, NULL);
	return err;
}

/* Offloads that the driver switches off -------------------------------------------------------- */

static bool is_recorded(const struct tuning *t, const struct tuning_change *change)
{
	for (unsigned i = 0; i < t->count; i++)
		if (t->changes[i].is_offload && t->changes[i].ifindex == change->ifindex &&
		    t->changes[i].offload == change->offload)
			return true;
	return false;
}

void tuning_watch(struct tuning *t, const char *nic, uint32_t ifindex)
{
	struct ethtool_offload_state states[ETHTOOL_OFFLOADS];
	struct tuning_change change = { .ifindex = ifindex, .is_offload = true };
	struct fault f;

	if (ethtool_offloads(nic, states))
		return;
	/* Record the offloads in reverse order. Then undo_all(), which undoes the last change
	 * first, switches them on in the order that the kernel requires (ethtool.h). */
	for (int i = ETHTOOL_OFFLOADS - 1; i >= 0 && t->count < TUNING_MAX; i--) {
		change.offload = (enum ethtool_offload)i;
		if (states[i].on && !states[i].fixed && !is_recorded(t, &change))
			t->changes[t->count++] = change;
	}
	t->netns = netns_of_process("self");
	if (write_record(t, &f))
		log_error(
			"%s: `wgxdp detach` may be unable to restore the offloads of this NIC: %s",
			nic, f.text);
}

void tuning_unwatch(struct tuning *t, const char *nic, uint32_t ifindex)
{
	struct ethtool_offload_state states[ETHTOOL_OFFLOADS];
	unsigned kept = 0;

	if (ethtool_offloads(nic, states))
		return;
	for (unsigned i = 0; i < t->count; i++) {
		const struct tuning_change *c = &t->changes[i];

		if (!c->is_offload || c->ifindex != ifindex || !states[c->offload].on)
			t->changes[kept++] = *c;
	}
	t->count = kept;
	(void)write_record(t, NULL);
}

/* Undoing -------------------------------------------------------------------------------------- */

static bool same_counts(const struct ethtool_counts *a, const struct ethtool_counts *b)
{
	return a->rx == b->rx && a->tx == b->tx && a->combined == b->combined;
}

static int set_back_channels(const char *nic, const struct tuning_change *c)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * (long)NS_PER_MS };
	struct ethtool_counts now, max;
	int err = ethtool_channels(nic, &now, &max);

	if (err || !same_counts(&now, &c->after))
		return err;
	err = ethtool_set_channels(nic, &c->before);
	for (int waited = 0; (err == -EINVAL || err == -EBUSY) && waited < PATIENCE_MS;
	     waited += PAUSE_MS) {
		nanosleep(&pause, NULL);
		err = ethtool_set_channels(nic, &c->before);
	}
	return err;
}

static bool forwards(const char *family, const char *nic)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/forwarding", family, nic);
	return file_switched_on(path, false);
}

/* Returns true if LRO must stay off, because merged packets cannot be forwarded: the link is below
 * a bridge, or the link or a bond above it forwards packets. Forwarding may have been switched on,
 * for example by a PostUp hook, after the driver or wgxdp switched LRO off. */
static bool must_not_merge(struct netlink *nl, const struct netlink_link *link)
{
	struct netlink_link at = *link;

	for (unsigned i = 0; i < MASTERS_MAX; i++) {
		if (forwards("ipv4", at.name) || forwards("ipv6", at.name) ||
		    !strcmp(at.kind, "bridge"))
			return true;
		if (!at.master || netlink_link(nl, NULL, at.master, &at))
			break;
	}
	return false;
}

static int set_back_offload(struct netlink *nl, const struct netlink_link *link,
			    const struct tuning_change *c)
{
	struct ethtool_offload_state states[ETHTOOL_OFFLOADS];
	int err = ethtool_offloads(link->name, states);

	if (err || states[c->offload].on)
		return err;
	if (c->offload == ETHTOOL_LRO && must_not_merge(nl, link))
		return 0;
	return ethtool_set_offload(link->name, c->offload, true);
}

/* Undoes one change. Returns 0, also if the NIC is gone, or -errno after logging the failure. */
static int set_back(struct netlink *nl, const struct tuning_change *c)
{
	char command[TUNING_COMMAND_LEN];
	struct netlink_link link = { .name = "NIC" }; /* in case its name cannot be read */
	int err = netlink_link(nl, NULL, c->ifindex, &link);

	if (!err)
		err = c->is_offload ? set_back_offload(nl, &link, c)
				    : set_back_channels(link.name, c);
	if (!err || err == -ENODEV)
		return 0;
	tuning_command(command, link.name, c, true);
	log_error("a setting of the NIC cannot be restored: `%s`: %s", command, strerror(-err));
	return err;
}

static int undo_all(void *ctx)
{
	struct tuning *t = ctx;
	struct netlink *nl = netlink_open();
	unsigned kept = 0;

	if (!nl)
		return -errno;
	for (unsigned i = t->count; i > 0; i--) {
		if (!set_back(nl, &t->changes[i - 1]))
			t->changes[i - 1].ifindex = 0;
	}
	for (unsigned i = 0; i < t->count; i++)
		if (t->changes[i].ifindex)
			t->changes[kept++] = t->changes[i];
	t->count = kept;
	netlink_close(nl);
	return 0;
}

void tuning_undo(struct tuning *t)
{
	int err;

	if (!t->count)
		return;
	err = undo_all(t);
	if (err)
		log_error("the settings of the NICs cannot be restored: %s", strerror(-err));
	/* Record what could not be undone. The next attach or detach tries again. */
	(void)write_record(t, NULL);
}

int tuning_record_undo(const char *interface, struct fault *f)
{
	struct tuning t = { .interface = interface };
	char path[RECORD_FILE_PATH_LEN];
	json_t *json = NULL;
	int err;

	record_file_path(path, interface, SUFFIX);
	err = record_file_read(path, &json, f);
	if (err && err != -ENOENT && err != -EINVAL)
		return err;
	err = 0;
	if (json && tuning_parse(&t, json))
		record_file_complain(path);
	json_decref(json);
	if (t.count)
		err = record_file_in_netns(t.netns, undo_all, &t);
	if (err == -ESTALE)
		t.count = 0;
	else if (err)
		return fault(f, err, "%s: the settings of the NICs cannot be restored: %s", path,
			     strerror(-err));
	(void)write_record(&t, NULL);
	return 0;
}
