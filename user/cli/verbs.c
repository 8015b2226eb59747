/* SPDX-License-Identifier: MIT */
#include "cli/verbs.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "conf/conf.h"
#include "util/closest.h"
#include "wgxdp/control.h"

static const struct verb verbs[] = {
	{ "attach", "up", attach_main, "[NIC[,NIC...]] CONF", "bring a tunnel up" },
	{ "detach", "down", detach_main, "IFACE|CONF", "take a tunnel down" },
	{ "confirm", NULL, confirm_main, "IFACE|CONF", "keep what attach --confirm has set up" },
	{ "reload", NULL, reload_main, "IFACE|CONF [--exact]",
	  "apply what has changed in the file" },
	{ "save", NULL, save_main, "IFACE|CONF", "write the running state to the config file" },
	{ "strip", NULL, strip_main, "CONF", "print the file in the form that wg setconf reads" },
	{ "show", NULL, show_main, "[IFACE] [--json]", "state, paths, drops and peers" },
	{ "set", NULL, set_main, "IFACE|CONF debug on|off", "turn debug messages on or off" },
	{ "logs", NULL, logs_main, "IFACE|CONF", "print the last log messages of the daemon" },
	{ "check", NULL, check_main, "[NIC[,NIC...]] CONF",
	  "read a config file and say what is wrong" },
	{ "probe", NULL, probe_main, "[NIC[,NIC...]] [--json]",
	  "say what a NIC offers and which path auto takes" },
	{ "genkey", NULL, genkey_main, "", "make a private key" },
	{ "genpsk", NULL, genpsk_main, "", "make a preshared key" },
	{ "pubkey", NULL, pubkey_main, "", "print the public key of the private key on stdin" },
};
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static const struct verb *find(const char *word, int (*compare)(const char *, const char *))
{
	for (size_t i = 0; i < VERBS; i++)
		if (!compare(word, verbs[i].name) ||
		    (verbs[i].other_name && !compare(word, verbs[i].other_name)))
			return &verbs[i];
	return NULL;
}

const struct verb *verbs_find(const char *word)
{
	return find(word, strcmp);
}

int verbs_help(FILE *out)
{
	char usage[80];

	fputs("wgxdp: WireGuard over XDP and AF_XDP, without a kernel module\n\n", out);
	for (size_t i = 0; i < VERBS; i++) {
		snprintf(usage, sizeof(usage), "%s %s", verbs[i].name, verbs[i].arguments);
		fprintf(out, "  wgxdp %-28s %s\n", usage, verbs[i].what);
	}
	fputs("  wgxdp [-f|--foreground] IFACE      serve wg and wg-quick as a userspace "
	      "implementation\n"
	      "  wgxdp --version | --help\n"
	      "\n"
	      "`up` and `down` are other names of attach and detach.\n"
	      "\n"
	      "Options of attach:\n",
	      out);
	options_help(out);
	fputs("\nSee wgxdp(8) and wgxdp.conf(5).\n", out);
	return CLI_OK;
}

/* Words that are not interfaces ---------------------------------------------------------------- */

/* Words that users may type in place of a verb, for example commands of other programs, each with
 * the verb to suggest. */
static const struct {
	const char *word, *verb; /* verb is NULL if no verb of wgxdp does this */
} strangers[] = {
	{ "start", "attach" },
	{ "stop", "detach" },
	{ "restart", "detach, then attach" },
	{ "connect", "attach" },
	{ "disconnect", "detach" },
	{ "enable", "attach" },
	{ "disable", "detach" },
	{ "status", "show" },
	{ "stats", "show" },
	{ "list", "show" },
	{ "dump", "show" },
	{ "interfaces", "show" },
	{ "peers", "show" },
	{ "showconf", "show" },
	{ "monitor", NULL },
	{ "inspect", "probe" },
	{ "trace", NULL },
	{ "capture", NULL },
	{ "log", "logs" },
	{ "metrics", NULL },
	{ "update", NULL },
	{ "upgrade", NULL },
	{ "setconf", NULL },
	{ "addconf", NULL },
	{ "syncconf", NULL },
	{ "add", NULL },
	{ "delete", NULL },
	{ "remove", NULL },
	{ "config", NULL },
	{ "quick", NULL },
	{ "kill", NULL },
};

static int refuse_file(const char *word)
{
	char path[PATH_MAX], interface[IFNAME_MAX + 1];
	const char *meant = word;
	struct fault f, other;

	if (conf_find(word, path, interface, &f) != 0) {
		if (conf_interface(word, interface, &f) != 0 ||
		    conf_find(interface, path, interface, &other) != 0)
			return cli_fail(CLI_USAGE, "%s", f.text);
		meant = interface;
	}
	return cli_fail(CLI_USAGE, "%s: there is no such command; did you mean wgxdp attach %s%s?",
			word, fault_dashes(meant), meant);
}

static bool is_file(const char *word)
{
	struct stat st;

	return stat(word, &st) == 0 && S_ISREG(st.st_mode);
}

static int refuse_word(const char *word, const char *meant)
{
	char hint[96] = "see wgxdp --help.";

	if (meant)
		snprintf(hint, sizeof(hint), "did you mean wgxdp %s?", meant);
	return cli_fail(CLI_USAGE,
			"%s: there is no such command; %s For an interface of that name run "
			"wgxdp -f %s%s",
			word, hint, fault_dashes(word), word);
}

int verbs_refuse(const char *word, int more)
{
	const struct verb *in_capitals;
	const char *meant;

	if (conf_is_path(word))
		return refuse_file(word);
	/* wg-quick always passes the name of an interface, so any name is accepted from
	 * wg-quick. */
	if (getenv("WG_QUICK_USERSPACE_IMPLEMENTATION") && !more)
		return CLI_OK;
	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
		if (!strcasecmp(word, strangers[i].word))
			return refuse_word(word, strangers[i].verb);
	in_capitals = find(word, strcasecmp);
	if (in_capitals)
		return refuse_word(word, in_capitals->name);
	/* A single word with a digit is taken for the name of an interface: no verb has a digit. */
	meant = word[strcspn(word, "0123456789")] && !more
			? NULL
			: closest(word, verbs, sizeof(verbs[0]), VERBS);
	if (meant || more)
		return refuse_word(word, meant);
	if (is_file(word) || strcasestr(word, ".conf"))
		return cli_fail(CLI_USAGE,
				"%s: this is %s; the name of a config file ends in .conf. For an "
				"interface of that name run wgxdp -f %s%s",
				word, is_file(word) ? "a file" : "like the name of a file",
				fault_dashes(word), word);
	return CLI_OK;
}

/* Completion ---------------------------------------------------------------------------------- */

/* Prints each verb whose arguments contain @what, together with its other name. Prints all verbs if
 * @what is NULL. */
static void put_verbs(FILE *out, const char *what, const char *between)
{
	const char *before = "";

	for (size_t i = 0; i < VERBS; i++) {
		if (what && !strstr(verbs[i].arguments, what))
			continue;
		fprintf(out, "%s%s", before, verbs[i].name);
		before = between;
		if (verbs[i].other_name)
			fprintf(out, "%s%s", between, verbs[i].other_name);
	}
}

static void put_case(FILE *out, const char *what, const char *words)
{
	fputs("\tcase $verb in\n\t", out);
	put_verbs(out, what, "|");
	fprintf(out, ") words+=\" %s\" ;;\n\tesac\n", words);
}

int verbs_completion(FILE *out)
{
	fputs("# bash completion for wgxdp, made by `wgxdp --completion bash`\n"
	      "_wgxdp()\n"
	      "{\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	      "\tlocal verb=${COMP_WORDS[1]} words=\n"
	      "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
	      "\t\tmapfile -t COMPREPLY < <(compgen -W \"--foreground --help --version ",
	      out);
	put_verbs(out, NULL, " ");
	fputs("\" -- \"$cur\")\n"
	      "\t\treturn\n"
	      "\tfi\n"
	      "\tif [[ $verb == @(attach|up) ]]; then\n"
	      "\t\tcase $prev in\n",
	      out);
	options_complete_values(out);
	fputs("\t\tesac\n\t\twords=\"", out);
	options_complete_names(out);
	fputs("\"\n\tfi\n", out);
	put_case(out, "NIC", "$(cd /sys/class/net && echo *)");
	put_case(out, "--json", "--json");
	put_case(out, "debug", "debug on off");
	put_case(out, "CONF",
		 "$(shopt -s nullglob; for f in /etc/wireguard/*.conf /etc/wgxdp/*.conf; do "
		 "basename "
		 "\"$f\" .conf; done)");
	put_case(out, "IFACE",
		 "$(shopt -s nullglob; for f in " CONTROL_DIRECTORY "/*" CONTROL_SUFFIX
		 "; do basename \"$f\" " CONTROL_SUFFIX "; done)");
	fputs("\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	      "\tcase $verb in\n\t",
	      out);
	put_verbs(out, "CONF", "|");
	fputs(") mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen -f -X '!*.conf' "
	      "-- \"$cur\") "
	      ";;\n"
	      "\tesac\n"
	      "}\n"
	      "complete -o filenames -F _wgxdp wgxdp\n",
	      out);
	return CLI_OK;
}
