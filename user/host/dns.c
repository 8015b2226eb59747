/* SPDX-License-Identifier: MIT */
#include "host/dns.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/run.h"
#include "util/buffer.h"

/* This file exists if systemd-resolved is running. A test sets another path. */
#ifndef RESOLVED_SERVES
#define RESOLVED_SERVES "/run/systemd/resolve/stub-resolv.conf"
#endif
#define INTERFACE_ORDER "/etc/resolvconf/interface-order"

/* Debian's resolvconf sorts interfaces by the name patterns in INTERFACE_ORDER, such as "tun*". We
 * put the first pattern of this form, without the "*", and a dot before the name of our interface,
 * as wg-quick(8) does, so that our interface comes first. */
static void interface_prefix(char prefix[static DNS_NAME_LEN])
{
	FILE *order = fopen(INTERFACE_ORDER, "re");
	char line[DNS_NAME_LEN];

	*prefix = '\0';
	while (order && !*prefix && fgets(line, sizeof(line), order)) {
		size_t len = 0;

		while (isalnum((unsigned char)line[len]) || line[len] == '-')
			len++;
		if (len && len < DNS_NAME_LEN / 2 && line[len] == '*' &&
		    (line[len + 1] == '\n' || !line[len + 1]))
			snprintf(prefix, DNS_NAME_LEN, "%.*s.", (int)len, line);
	}
	if (order)
		fclose(order);
}

bool dns_same(const struct dns *a, const struct dns *b)
{
	return a->tool == b->tool && !strcmp(a->name, b->name);
}

int dns_choose(struct dns *d, const char *interface, struct fault *f)
{
	char path[PATH_MAX], prefix[DNS_NAME_LEN];

	*d = (struct dns){ .tool = DNS_NOTHING };
	if (!access(RESOLVED_SERVES, F_OK) && run_find("resolvectl", path)) {
		d->tool = DNS_RESOLVECTL;
		snprintf(d->name, sizeof(d->name), "%s", interface);
		return 0;
	}
	if (run_find("resolvconf", path)) {
		d->tool = DNS_RESOLVCONF;
		interface_prefix(prefix);
		snprintf(d->name, sizeof(d->name), "%.40s%s", prefix, interface);
		return 0;
	}
	return fault(f, -ENOENT,
		     "systemd-resolved is not running and resolvconf is not installed; install the "
		     "package openresolv, or remove DNS from the file");
}

/* Runs `resolvectl VERB INTERFACE WORD... LAST`; @last may be NULL. */
static int resolvectl(const struct dns *d, const char *verb, const struct conf_list *words,
		      const char *last, struct fault *f)
{
	uint32_t count = words ? words->count : 0;
	char **argv = calloc((size_t)count + 5, sizeof(*argv)), path[PATH_MAX];
	unsigned n = 0;
	int err;

	if (!argv || !run_find("resolvectl", path)) {
		err = fault(f, argv ? -ENOENT : -ENOMEM, "resolvectl cannot be started");
		goto out;
	}
	argv[n++] = path;
	argv[n++] = (char *)verb;
	argv[n++] = (char *)d->name;
	for (uint32_t i = 0; i < count; i++)
		argv[n++] = words->items[i];
	if (last)
		argv[n++] = (char *)last;
	err = run_program(argv, NULL, DNS_TIMEOUT_MS, f);
out:
	free(argv);
	return err;
}

static int set_by_resolvconf(const struct dns *d, const struct plan *plan, struct fault *f)
{
	char path[PATH_MAX];
	char *argv[] = { path, "-a", (char *)d->name, "-m", "0", "-x", NULL };
	struct buffer text = { 0 };
	int err;

	for (uint32_t i = 0; i < plan->servers.count; i++)
		buffer_printf(&text, "nameserver %s\n", plan->servers.items[i]);
	for (uint32_t i = 0; i < plan->search.count; i++)
		buffer_printf(&text, "%s %s%s", i ? "" : "search", plan->search.items[i],
			      i + 1 < plan->search.count ? "" : "\n");
	buffer_append(&text, "", 1);
	if (text.failed || !run_find("resolvconf", path))
		err = fault(f, text.failed ? -ENOMEM : -ENOENT, "resolvconf cannot be started");
	else
		err = run_program(argv, text.data + text.at, DNS_TIMEOUT_MS, f);
	buffer_done(&text);
	return err;
}

int dns_set(const struct dns *d, const struct plan *plan, struct fault *f)
{
	int err;

	if (d->tool == DNS_RESOLVCONF)
		return set_by_resolvconf(d, plan, f);
	err = resolvectl(d, "dns", &plan->servers, NULL, f);
	/* The domain "~." makes the host use these servers for all names, like resolvconf -x. */
	return err ? err : resolvectl(d, "domain", &plan->search, "~.", f);
}

int dns_unset(const struct dns *d, struct fault *f)
{
	char path[PATH_MAX];
	char *argv[] = { path, "-d", (char *)d->name, "-f", NULL };

	if (d->tool == DNS_NOTHING)
		return 0;
	if (d->tool == DNS_RESOLVECTL)
		return resolvectl(d, "revert", NULL, NULL, f);
	if (!run_find("resolvconf", path))
		return fault(f, -ENOENT, "resolvconf is not installed any more");
	return run_program(argv, NULL, DNS_TIMEOUT_MS, f);
}
