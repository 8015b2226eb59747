/* SPDX-License-Identifier: MIT */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "conf/conf.h"
#include "conf/valuetext.h"
#include "crypto/aead.h"
#include "dataplane/workers.h"

#define RATE_MAX 1000000

enum option_id {
	FOREGROUND,
	RX,
	TX,
	XDP_MODE,
	ZERO_COPY,
	AEAD,
	HANDSHAKE_RATE,
	STRICT,
	WORKERS,
	CPUS,
	CHAIN
};

/* One option: "--name", "--name value" or "--name=value". */
struct option_kind {
	const char *name;
	enum option_id id;
	const char *choices[3]; /* of its value, in the order of its enum; none: see set() */
};

static const struct option_kind kinds[] = {
	{ "--foreground", FOREGROUND, { NULL } },
	{ "-f", FOREGROUND, { NULL } },
	{ "--rx", RX, { "auto", "xdp", "udp" } },
	{ "--tx", TX, { "auto", "xdp", "udp" } },
	{ "--xdp-mode", XDP_MODE, { "auto", "native", "generic" } },
	{ "--zero-copy", ZERO_COPY, { "auto", "on", "off" } },
	{ "--aead", AEAD, { NULL } },
	{ "--handshake-rate", HANDSHAKE_RATE, { NULL } },
	{ "--strict", STRICT, { NULL } },
	{ "--workers", WORKERS, { NULL } },
	{ "--cpus", CPUS, { NULL } },
	{ "--chain", CHAIN, { NULL } },
};

_Static_assert(OPTIONS_PATH_XDP == 1 && OPTIONS_PATH_UDP == 2, "order of choices");
_Static_assert(LOADER_MODE_NATIVE == 1 && LOADER_MODE_GENERIC == 2, "order of choices");
_Static_assert(AFXDP_ZC_ON == 1 && AFXDP_ZC_OFF == 2, "order of choices");

static bool has_value(const struct option_kind *kind)
{
	return kind->id != FOREGROUND && kind->id != STRICT && kind->id != CHAIN;
}

static bool is_backend(const char *value)
{
	const struct aead_backend *b;

	for (size_t i = 0; (b = aead_backend(i)); i++)
		if (strcmp(b->name, value) == 0)
			return true;
	return strcmp(value, "auto") == 0;
}

static int set_aead(struct options *o, const char *value, struct fault *f)
{
	char names[128] = "auto";
	const struct aead_backend *b;

	if (!is_backend(value)) {
		for (size_t i = 0; (b = aead_backend(i)); i++)
			snprintf(names + strlen(names), sizeof(names) - strlen(names), ", %s",
				 b->name);
		return fault(f, CLI_USAGE,
			     "--aead %s: there is no such implementation; there are "
			     "%s",
			     value, names);
	}
	o->aead = strcmp(value, "auto") == 0 ? NULL : value;
	return 0;
}

static int set_choice(struct options *o, const struct option_kind *kind, const char *value,
		      struct fault *f)
{
	unsigned i = 0;

	while (i < 3 && strcmp(kind->choices[i], value) != 0)
		i++;
	if (i == 3)
		return fault(f, CLI_USAGE, "%s %s: must be %s, %s or %s", kind->name, value,
			     kind->choices[0], kind->choices[1], kind->choices[2]);
	if (kind->id == RX)
		o->rx = (enum options_path)i;
	else if (kind->id == TX)
		o->tx = (enum options_path)i;
	else if (kind->id == XDP_MODE)
		o->xdp_mode = (enum loader_mode)i;
	else
		o->zero_copy = (enum afxdp_zc)i;
	return 0;
}

/* "0,2-3" */
static int set_cpus(struct options *o, const char *list, struct fault *f)
{
	const char *at = list;
	char *end;

	o->cpu_count = 0;
	do {
		unsigned long first = strtoul(at, &end, 10), last = first;

		if (end == at)
			goto bad;
		if (*end == '-') {
			at = end + 1;
			last = strtoul(at, &end, 10);
			if (end == at)
				goto bad;
		}
		if (first > last || last >= CPU_SETSIZE)
			goto bad;
		for (; first <= last && o->cpu_count < OPTIONS_CPUS_MAX; first++)
			o->cpus[o->cpu_count++] = (int)first;
		at = end + 1;
	} while (*end == ',');
	if (!*end)
		return 0;
bad:
	return fault(f, CLI_USAGE, "--cpus %s: must be a list of CPUs such as 0,2-3", list);
}

static int set(struct options *o, const struct option_kind *kind, const char *value,
	       struct fault *f)
{
	uint32_t rate;

	switch (kind->id) {
	case FOREGROUND:
		o->foreground = true;
		return 0;
	case STRICT:
		o->strict = true;
		return 0;
	case CHAIN:
		o->chain = true;
		return 0;
	case AEAD:
		return set_aead(o, value, f);
	case HANDSHAKE_RATE:
		if (!valuetext_number(value, 10, RATE_MAX, &rate) || !rate)
			return fault(f, CLI_USAGE,
				     "--handshake-rate %s: must be a number from 1 to "
				     "%u",
				     value, RATE_MAX);
		o->handshake_rate = rate;
		return 0;
	case WORKERS:
		if (!valuetext_number(value, 10, WORKERS_MAX, &rate) || !rate)
			return fault(f, CLI_USAGE, "--workers %s: must be a number from 1 to %u",
				     value, WORKERS_MAX);
		o->workers = rate;
		return 0;
	case CPUS:
		return set_cpus(o, value, f);
	default:
		return set_choice(o, kind, value, f);
	}
}

static const struct option_kind *find(const char *arg, size_t len)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strlen(kinds[i].name) == len && strncmp(kinds[i].name, arg, len) == 0)
			return &kinds[i];
	return NULL;
}

/* argv[*@i] is an option; *@i moves on to its value if that stands alone. */
static int parse_option(struct options *o, int argc, char **argv, int *i, struct fault *f)
{
	const char *arg = argv[*i], *value = strchr(arg, '=');
	const struct option_kind *kind = find(arg, value ? (size_t)(value - arg) : strlen(arg));

	if (!kind)
		return fault(f, CLI_USAGE, "%s: there is no such option; see wgxdp --help", arg);
	if (value && !has_value(kind))
		return fault(f, CLI_USAGE, "%s: %s takes no value", arg, kind->name);
	if (value)
		value++;
	else if (has_value(kind))
		value = ++*i < argc ? argv[*i] : NULL;
	if (!value && has_value(kind))
		return fault(f, CLI_USAGE, "%s: its value is missing; see wgxdp --help",
			     kind->name);
	return set(o, kind, value, f);
}

static int parse_nics(struct options *o, const char *list, struct fault *f)
{
	for (;; list++) {
		size_t len = strcspn(list, ",");

		if (!len || len > IFNAME_MAX || memchr(list, '/', len))
			return fault(f, CLI_USAGE,
				     "%.*s: is no name of a network interface; see ip "
				     "link",
				     (int)len, list);
		if (o->nic_count == OPTIONS_NICS_MAX)
			return fault(f, CLI_USAGE, "%s: at most %d network interfaces can be given",
				     list, OPTIONS_NICS_MAX);
		memcpy(o->nics[o->nic_count], list, len);
		o->nics[o->nic_count++][len] = '\0';
		list += len;
		if (!*list)
			return 0;
	}
}

void options_default(struct options *o)
{
	*o = (struct options){ .handshake_rate = HANDSHAKE_RATE_PER_S,
			       .force_clsact = getenv("WGXDP_FORCE_CLSACT") != NULL,
			       .tun_fd = -1,
			       .uapi_fd = -1 };
}

int options_parse(struct options *o, int argc, char **argv, const char **conf, struct fault *f)
{
	const char *words[2];
	int err = 0, n = 0;
	bool only_words = false;

	for (int i = 1; i < argc && !err; i++) {
		if (!only_words && strcmp(argv[i], "--") == 0)
			only_words = true;
		else if (!only_words && argv[i][0] == '-')
			err = parse_option(o, argc, argv, &i, f);
		else if (n < 2)
			words[n++] = argv[i];
		else
			err = fault(f, CLI_USAGE,
				    "%s: too many arguments; it is wgxdp attach "
				    "[NIC[,NIC...]] CONF",
				    argv[i]);
	}
	if (err)
		return err;
	if (o->chain && o->rx == OPTIONS_PATH_UDP)
		return fault(f, CLI_USAGE,
			     "--chain: it shares a NIC's XDP, which --rx udp does not use; leave "
			     "out one of the two");
	if (!n)
		return fault(f, CLI_USAGE,
			     "no config is given; it is wgxdp attach [NIC[,NIC...]] CONF");
	if (n == 2)
		err = parse_nics(o, words[0], f);
	if (!err)
		*conf = words[n - 1];
	return err;
}
