/* SPDX-License-Identifier: MIT */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "conf/conf.h"
#include "conf/valuetext.h"
#include "crypto/aead.h"
#include "dataplane/workers.h"
#include "util/closest.h"

#define RATE_MAX 1000000
#define CONFIRM_MAX_S 86400
#define BUSY_POLL_MAX_US 10000

enum option_id {
	FOREGROUND,
	RX,
	TX,
	XDP_MODE,
	ZERO_COPY,
	BUSY_POLL,
	AEAD,
	HANDSHAKE_RATE,
	STRICT,
	WORKERS,
	CPUS,
	CHAIN,
	NO_GSO,
	NO_GRO,
	NO_USO,
	NO_REPLY_WAIT,
	LATE_NIC,
	TUNE,
	NO_WATCH,
	CONFIRM
};

/* One option: "--name", "--name value" or "--name=value". */
struct option_kind {
	const char *name;
	enum option_id id;
	const char *value; /* choices "a|b" in enum order, or a placeholder; NULL = no value */
	const char *what;  /* text for --help; NULL = another name of the option above */
};

static const struct option_kind kinds[] = {
	{ "--foreground", FOREGROUND, NULL, "do not go to the background" },
	{ "-f", FOREGROUND, NULL, NULL },
	{ "--late-nic", LATE_NIC, NULL, "the NICs in the list need not exist yet" },
	{ "--tune", TUNE, NULL, "change queues and offloads as probe advises, until detach" },
	{ "--rx", RX, "auto|xdp|udp", "how data is received (auto)" },
	{ "--tx", TX, "auto|xdp|udp", "how data is sent (auto)" },
	{ "--xdp-mode", XDP_MODE, "auto|native|generic",
	  "how the NIC runs the XDP program (auto)" },
	{ "--zero-copy", ZERO_COPY, "auto|on|off", "whether AF_XDP copies frames (auto)" },
	{ "--busy-poll", BUSY_POLL, "USECS", "how long workers poll AF_XDP before they sleep (0)" },
	{ "--chain", CHAIN, NULL, "share the NIC with other XDP programs (libxdp)" },
	{ "--no-gso", NO_GSO, NULL, "no packets above the MTU from the host, no UDP_SEGMENT" },
	{ "--no-gro", NO_GRO, NULL, "no merged packets to the host, no UDP_GRO" },
	{ "--no-uso", NO_USO, NULL, "merge and split only TCP packets, not UDP packets" },
	{ "--no-reply-wait", NO_REPLY_WAIT, NULL,
	  "workers sleep as soon as they have nothing to do" },
	{ "--workers", WORKERS, "N", "data-path threads (min of queues, cores, 4)" },
	{ "--cpus", CPUS, "LIST", "pin the threads to CPUs, such as 0,2-3" },
	{ "--aead", AEAD, "NAME", "ChaCha20-Poly1305 implementation (auto)" },
	{ "--handshake-rate", HANDSHAKE_RATE, "N",
	  "handshakes per second and source under load (100)" },
	{ "--confirm", CONFIRM, "SECONDS", "undo everything unless wgxdp confirm runs in time" },
	{ "--no-watch", NO_WATCH, NULL, "apply changes of the file only when told to reload" },
	{ "--strict", STRICT, NULL, "drop invalid packets even if the host forwards packets" },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

_Static_assert(OPTIONS_PATH_XDP == 1 && OPTIONS_PATH_UDP == 2, "order of choices");
_Static_assert(LOADER_MODE_NATIVE == 1 && LOADER_MODE_GENERIC == 2, "order of choices");
_Static_assert(AFXDP_ZC_ON == 1 && AFXDP_ZC_OFF == 2, "order of choices");

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
			     "--aead %s: there is no such implementation; choose one of %s", value,
			     names);
	}
	o->aead = strcmp(value, "auto") == 0 ? NULL : value;
	return 0;
}

/* Returns the index of @value in "a|b|c", or -1. */
static int find_choice(const char *choices, const char *value)
{
	size_t len = strlen(value);

	for (int i = 0;; i++) {
		size_t n = strcspn(choices, "|");

		if (n == len && !memcmp(choices, value, n))
			return i;
		if (!choices[n])
			return -1;
		choices += n + 1;
	}
}

static int set_choice(struct options *o, const struct option_kind *kind, const char *value,
		      struct fault *f)
{
	int i = find_choice(kind->value, value);

	if (i < 0)
		return fault(f, CLI_USAGE, "%s %s: must be one of %s", kind->name, value,
			     kind->value);
	if (kind->id == RX)
		o->rx = (enum options_path)i;
	else if (kind->id == TX)
		o->tx = (enum options_path)i;
	else if (kind->id == XDP_MODE)
		o->xdp_mode = (enum loader_mode)i;
	else
		o->xsk.zero_copy = (enum afxdp_zc)i;
	return 0;
}

/* Reads a list of CPUs such as "0,2-3". */
static int set_cpus(struct options *o, const char *list, struct fault *f)
{
	const char *at = list;
	unsigned count = 0;
	char *end;

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
		for (; first <= last; first++, count++)
			if (count < OPTIONS_CPUS_MAX)
				o->cpus[count] = (int)first;
		at = end + 1;
	} while (*end == ',');
	if (*end)
		goto bad;
	if (count > OPTIONS_CPUS_MAX)
		return fault(f, CLI_USAGE,
			     "--cpus %s: lists more than %d CPUs; use a shorter list, because "
			     "there are at most %d workers",
			     list, OPTIONS_CPUS_MAX, WORKERS_MAX);
	o->cpu_count = count;
	return 0;
bad:
	return fault(f, CLI_USAGE, "--cpus %s: must be a list of CPUs such as 0,2-3", list);
}

static int set_number(const struct option_kind *kind, const char *value, uint32_t max,
		      uint32_t *out, struct fault *f)
{
	uint32_t number;

	if (!valuetext_number(value, 10, max, &number) || !number)
		return fault(f, CLI_USAGE, "%s %s: must be a number from 1 to %u", kind->name,
			     value, max);
	*out = number;
	return 0;
}

/* Sets an option that takes no value. */
static void set_flag(struct options *o, enum option_id id)
{
	switch (id) {
	case FOREGROUND:
		o->foreground = true;
		break;
	case STRICT:
		o->strict = true;
		break;
	case CHAIN:
		o->chain = true;
		break;
	case NO_GSO:
		o->off.gso = true;
		break;
	case NO_GRO:
		o->off.gro = true;
		break;
	case NO_USO:
		o->off.uso = true;
		break;
	case NO_REPLY_WAIT:
		o->off.reply_wait = true;
		break;
	case LATE_NIC:
		o->nics.late = true;
		break;
	case TUNE:
		o->nics.tune = true;
		break;
	case NO_WATCH:
		o->conf.no_watch = true;
		break;
	default:
		break;
	}
}

/* Sets an option. @value is NULL if the option takes no value. */
static int set(struct options *o, const struct option_kind *kind, const char *value,
	       struct fault *f)
{
	if (!value) {
		set_flag(o, kind->id);
		return 0;
	}
	switch (kind->id) {
	case AEAD:
		return set_aead(o, value, f);
	case BUSY_POLL:
		return set_number(kind, value, BUSY_POLL_MAX_US, &o->xsk.busy_poll_us, f);
	case CONFIRM:
		return set_number(kind, value, CONFIRM_MAX_S, &o->conf.confirm_s, f);
	case HANDSHAKE_RATE:
		return set_number(kind, value, RATE_MAX, &o->handshake_rate, f);
	case WORKERS:
		return set_number(kind, value, WORKERS_MAX, &o->workers, f);
	case CPUS:
		return set_cpus(o, value, f);
	default:
		return set_choice(o, kind, value, f);
	}
}

static const struct option_kind *find(const char *arg, size_t len)
{
	for (size_t i = 0; i < KINDS; i++)
		if (strlen(kinds[i].name) == len && strncmp(kinds[i].name, arg, len) == 0)
			return &kinds[i];
	return NULL;
}

static int unknown_option(const char *arg, size_t len, const char *hint, struct fault *f)
{
	char name[32];
	const char *meant;

	snprintf(name, sizeof(name), "%.*s", (int)len, arg);
	meant = closest(name, kinds, sizeof(kinds[0]), KINDS);
	if (meant && strlen(meant) > 2)
		return fault(f, CLI_USAGE, "%s: there is no such option; did you mean %s?", arg,
			     meant);
	return fault(f, CLI_USAGE, "%s: there is no such option; see wgxdp --help%s", arg, hint);
}

/* Parses the option argv[*@i]. If its value is the next argument, moves *@i to that argument. If
 * there is no such option, the error ends with @hint.
 * getopt_long(3) is not used, because it accepts abbreviated names, which a new option could make
 * ambiguous. */
static int parse_option(struct options *o, int argc, char **argv, int *i, const char *hint,
			struct fault *f)
{
	const char *arg = argv[*i], *value = strchr(arg, '=');
	size_t len = value ? (size_t)(value - arg) : strlen(arg);
	const struct option_kind *kind = find(arg, len);

	if (!kind)
		return unknown_option(arg, len, hint, f);
	if (value && !kind->value)
		return fault(f, CLI_USAGE, "%s: %s takes no value", arg, kind->name);
	if (value)
		value++;
	else if (kind->value)
		value = ++*i < argc ? argv[*i] : NULL;
	if (!value && kind->value)
		return fault(f, CLI_USAGE, "%s: its value is missing; see wgxdp --help",
			     kind->name);
	return set(o, kind, value, f);
}

int options_set_nics(struct options *o, const char *list, struct fault *f)
{
	const char *whole = list;

	for (;; list++) {
		size_t len = strcspn(list, ",");

		if (!len)
			return fault(f, CLI_USAGE,
				     "\"%s\": the name of a NIC is missing before or after a comma",
				     whole);
		if (len > IFNAME_MAX || memchr(list, '/', len))
			return fault(f, CLI_USAGE,
				     "%.*s: not a valid interface name; see `ip link`", (int)len,
				     list);
		if (o->nics.count == OPTIONS_NICS_MAX)
			return fault(f, CLI_USAGE, "%s: at most %d network interfaces can be given",
				     list, OPTIONS_NICS_MAX);
		memcpy(o->nics.names[o->nics.count], list, len);
		o->nics.names[o->nics.count++][len] = '\0';
		list += len;
		if (!*list)
			return 0;
	}
}

/* Refuses options that contradict each other. */
static int check_options(const struct options *o, struct fault *f)
{
	if (!o->chain || o->rx != OPTIONS_PATH_UDP)
		return 0;
	return fault(f, CLI_USAGE,
		     "--chain shares a NIC's XDP hook, which --rx udp does not use; leave out one "
		     "of the two");
}

int options_read_nics(struct options *o, struct fault *f)
{
	const char *list = getenv("WGXDP_NIC");
	struct fault why;

	if (!list || !*list || !strcmp(list, "auto"))
		return 0;
	if (!strcmp(list, "none")) {
		o->rx = o->tx = OPTIONS_PATH_UDP;
		o->udp_why = "data goes through the UDP sockets because of WGXDP_NIC=none";
		return 0;
	}
	if (options_set_nics(o, list, &why))
		return fault(f, CLI_USAGE, "WGXDP_NIC: %s", why.text);
	return 0;
}

int options_read_variable(struct options *o, struct fault *f)
{
	static char text[1024]; /* static, because @o keeps pointers into this text */
	const char *variable = getenv("WGXDP_OPTIONS");
	char *words[sizeof(text) / 2], *rest = text, *word;
	int count = 0, err = 0;
	struct fault why;

	if (!variable)
		return 0;
	if (strlen(variable) >= sizeof(text))
		return fault(f, CLI_USAGE, "WGXDP_OPTIONS: must have fewer than %zu characters",
			     sizeof(text));
	memcpy(text, variable, strlen(variable) + 1);
	while ((word = strtok_r(rest, " \t\n", &rest)))
		words[count++] = word;
	for (int i = 0; i < count && !err; i++)
		err = words[i][0] == '-'
			      ? parse_option(o, count, words, &i, "", &why)
			      : fault(&why, CLI_USAGE, "%s: this is not an option", words[i]);
	if (!err && o->conf.confirm_s)
		err = fault(&why, CLI_USAGE, "--confirm: only attach has this option");
	if (!err)
		err = check_options(o, &why);
	return err ? fault(f, CLI_USAGE, "WGXDP_OPTIONS: %.400s", why.text) : 0;
}

void options_default(struct options *o)
{
	*o = (struct options){ .handshake_rate = HANDSHAKE_RATE_PER_S,
			       .tests.force_clsact = getenv("WGXDP_FORCE_CLSACT") != NULL,
			       .tests.veth_as_nic = getenv("WGXDP_VETH_AS_NIC") != NULL,
			       .tun_fd = -1,
			       .uapi_fd = -1 };
}

int options_parse(struct options *o, int argc, char **argv, const char **conf, struct fault *f)
{
	const char *words[2];
	int err = 0, n = 0;

	for (int i = 1; i < argc && !err; i++) {
		if (cli_is_option(&argv[i]))
			err = parse_option(o, argc, argv, &i, cli_dash_hint(argv[i]), f);
		else if (n < 2)
			words[n++] = argv[i];
		else
			err = fault(f, CLI_USAGE,
				    "%s: too many arguments; usage: wgxdp attach "
				    "[NIC[,NIC...]] CONF",
				    argv[i]);
	}
	if (err)
		return err;
	err = check_options(o, f);
	if (err)
		return err;
	if (!n)
		return fault(f, CLI_USAGE,
			     "no config is given; usage: wgxdp attach [NIC[,NIC...]] CONF");
	if (n == 2)
		err = options_set_nics(o, words[0], f);
	if (!err)
		*conf = words[n - 1];
	return err;
}

/* Help and completion -------------------------------------------------------------------------- */

void options_help(FILE *out)
{
	char usage[48];

	for (size_t i = 0; i < KINDS; i++) {
		const char *value = kinds[i].value;

		if (!kinds[i].what)
			continue;
		snprintf(usage, sizeof(usage), "%s%s%s", kinds[i].name, value ? " " : "",
			 value ? value : "");
		fprintf(out, "  %-30s%s%s\n", usage, strlen(usage) < 30 ? "" : " ", kinds[i].what);
	}
}

void options_complete_names(FILE *out)
{
	for (size_t i = 0; i < KINDS; i++)
		if (kinds[i].what)
			fprintf(out, "%s ", kinds[i].name);
}

void options_complete_values(FILE *out)
{
	for (size_t i = 0; i < KINDS; i++) {
		const char *at = kinds[i].value;

		if (!at)
			continue;
		fprintf(out, "\t\t%s)", kinds[i].name);
		if (strchr(at, '|')) {
			fputs(" mapfile -t COMPREPLY < <(compgen -W \"", out);
			for (; *at; at++)
				fputc(*at == '|' ? ' ' : *at, out);
			fputs("\" -- \"$cur\")", out);
		}
		fputs(strchr(kinds[i].value, '|') ? "; return ;;\n" : " return ;;\n", out);
	}
}
