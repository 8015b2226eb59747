/* SPDX-License-Identifier: MIT */
/*
 * wgxdp probe: prints what a NIC offers, which paths `auto` would choose for the NIC and why, and
 * which commands would improve the NIC's settings. Changes nothing.
 */
#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/probe.h"
#include "dataplane/nic_choice.h"
#include "dataplane/workers.h"

#define USAGE "usage: wgxdp probe [NIC[,NIC...]] [--json]"

static int probe_one(struct netlink *nl, const struct options *options, const char *name, bool json,
		     struct fault *f)
{
	struct nic_judgement judgement;
	struct nic_facts facts;
	json_t *object;
	int err = nic_facts_read(&facts, nl, options, name);

	if (err)
		return fault(f, err, "%s: %s", name, strerror(-err));
	nic_judge(&judgement, &facts, options, workers_most(options));
	object = probe_json(&facts, &judgement);
	if (!object)
		return fault(f, -ENOMEM, "out of memory");
	if (json) {
		json_dumpf(object, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		probe_print(stdout, object);
	}
	json_decref(object);
	return 0;
}

/* Probes the NICs that @options name, or else those of the default routes. */
static int probe_all(struct netlink *nl, const struct options *options, bool json, struct fault *f)
{
	struct nic nics[OPTIONS_NICS_MAX];
	struct nic_choice choice = { .nics = nics };
	int err = nic_choice_named(&choice, nl, options, f);

	if (!err && !options->nics.count)
		nic_choice_default(&choice, nl, 0);
	if (!err && !choice.count)
		err = fault(f, -ENODEV,
			    "there is no default route, so no NIC was chosen; name one: wgxdp "
			    "probe NIC");
	for (unsigned i = 0; i < choice.count && !err; i++) {
		if (i && !json)
			putchar('\n');
		err = probe_one(nl, options, nics[i].name, json, f);
	}
	return err;
}

int probe_main(int argc, char **argv)
{
	struct options options;
	struct netlink *nl;
	struct fault f = { "" };
	bool json = false;
	int err;

	options_default(&options);
	for (int i = 1; i < argc; i++) {
		bool option = cli_is_option(&argv[i]);

		if (option && !strcmp(argv[i], "--json"))
			json = true;
		else if (option || options.nics.count)
			return cli_fail(CLI_USAGE, "%s: unexpected argument; " USAGE "%s", argv[i],
					option ? cli_dash_hint(argv[i]) : "");
		else if (options_set_nics(&options, argv[i], &f))
			return cli_fail(CLI_USAGE, "%s", f.text);
	}
	nl = netlink_open();
	err = nl ? probe_all(nl, &options, json, &f)
		 : fault(&f, -errno, "cannot open a netlink socket: %s", strerror(errno));
	netlink_close(nl);
	return err ? cli_fail(CLI_FAILED, "%s", f.text) : CLI_OK;
}
