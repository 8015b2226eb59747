/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

struct verb {
	const char *name;
	int (*main)(int argc, char **argv);
	const char *arguments, *what;
};

static const struct verb verbs[] = {
	{ "attach", attach_main, "[NIC[,NIC...]] CONF", "bring a tunnel up" },
	{ "detach", detach_main, "IFACE|CONF", "take it down" },
	{ "show", show_main, "[IFACE] [--json]", "state, paths, drops and peers" },
	{ "set", set_main, "IFACE|CONF debug on|off", "say more of what goes wrong" },
	{ "check", check_main, "CONF", "read a config file and say what is wrong" },
	{ "genkey", genkey_main, "", "a new private key" },
	{ "genpsk", genpsk_main, "", "a new preshared key" },
	{ "pubkey", pubkey_main, "", "the public key of the private key on stdin" },
};

static int help(FILE *out)
{
	char usage[80];

	fputs("wgxdp: WireGuard over XDP and AF_XDP, without a kernel module\n\n", out);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		snprintf(usage, sizeof(usage), "%s %s", verbs[i].name, verbs[i].arguments);
		fprintf(out, "  wgxdp %-28s %s\n", usage, verbs[i].what);
	}
	fputs("  wgxdp [-f|--foreground] IFACE      serve wg and wg-quick as a userspace implementation\n"
	      "  wgxdp --version | --help\n"
	      "\n"
	      "Options of attach:\n"
	      "  --foreground                  do not go to the background\n"
	      "  --rx auto|xdp|udp             how data comes in (auto)\n"
	      "  --tx auto|xdp|udp             how it goes out (auto)\n"
	      "  --xdp-mode auto|native|generic\n"
	      "  --zero-copy auto|on|off\n"
	      "  --chain                       share the NIC with other XDP programs (libxdp)\n"
	      "  --workers N                   data-path threads (min of queues, cores, 4)\n"
	      "  --cpus LIST                   pin them, such as 0,2-3\n"
	      "  --aead NAME                   ChaCha20-Poly1305 implementation (auto)\n"
	      "  --handshake-rate N            handshakes per second and source under load (100)\n"
	      "  --strict                      drop unknown WireGuard packets even when forwarding\n"
	      "\n"
	      "See wgxdp(8) and wgxdp.conf(5).\n",
	      out);
	return CLI_OK;
}

/* What people type for a command, and words that will be one: as `wgxdp IFACE` they would make an
 * interface of that name and seem to work. */
static const char *const commands[] = { "reload",  "stats", "monitor", "probe",	  "trace",
					"capture", "logs",  "metrics", "version", "list",
					"status",  "up",    "down",    "stop",	  "start" };

/* Letters to insert, remove or replace to make @name of @verb. */
static unsigned distance(const char *verb, const char *name)
{
	size_t len = strlen(name);
	unsigned row[IFNAME_MAX + 1], corner, above;

	if (len > IFNAME_MAX)
		return UINT_MAX;
	for (unsigned i = 0; i <= len; i++)
		row[i] = i;
	for (; *verb; verb++) {
		corner = row[0]++;
		for (unsigned i = 0; i < len; i++) {
			above = row[i + 1];
			corner += *verb != name[i];
			row[i + 1] = above < row[i] ? above + 1 : row[i] + 1;
			if (corner < row[i + 1])
				row[i + 1] = corner;
			corner = above;
		}
	}
	return row[len];
}

/* The verb that @name is a slip of the fingers for, or NULL. A short name is hardly one with two. */
static const char *closest_verb(const char *name)
{
	unsigned most = strlen(name) < 4 ? 1 : 2;

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (distance(verbs[i].name, name) <= most)
			return verbs[i].name;
	return NULL;
}

/* `wgxdp -f wg0`, or `wgxdp wg0` as wg-quick says it. */
static int serve_interface(int argc, char **argv)
{
	const char *first = argv[1], *verb = closest_verb(first);
	bool is_command = argc > 2 && first[0] != '-' && argv[2][0] != '-', is_word = false;

	if (first[0] == '-' && strcmp(first, "-f") != 0 && strcmp(first, "--foreground") != 0)
		return cli_fail(CLI_USAGE, "%s: there is no such option; see wgxdp --help", first);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		is_word |= strcmp(first, commands[i]) == 0;
	if (verb && !is_word)
		return cli_fail(CLI_USAGE,
				"%s: did you mean wgxdp %s? For an interface of that name run "
				"wgxdp -f %s",
				first, verb, first);
	if (is_word || is_command)
		return cli_fail(CLI_USAGE,
				"%s: there is no such command, see wgxdp --help; for an interface "
				"of that name run wgxdp -f %s",
				first, first);
	return iface_main(argc, argv);
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

/* Whoever starts us without stdio must not find that a socket of ours took its place. */
static bool fill_stdio(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static int run(int argc, char **argv)
{
	if (!fill_stdio())
		return CLI_FAILED;
	if (sodium_init() < 0)
		return cli_fail(CLI_FAILED, "libsodium does not start");
	if (argc < 2) {
		help(stderr);
		return CLI_USAGE;
	}
	if (is_help(argv[1]) || (argc > 2 && is_help(argv[2])))
		return help(stdout);
	if (strcmp(argv[1], "--version") == 0) {
		puts("wgxdp " WGXDP_VERSION);
		return CLI_OK;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].main(argc - 1, argv + 1);
	return serve_interface(argc, argv);
}

int main(int argc, char **argv)
{
	int code = run(argc, argv);

	/* What was told is not told until it is written; who pipes it somewhere has to know. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && code == CLI_OK)
		code = cli_fail(CLI_FAILED, "the output could not be written; is the disk full?");
	return code;
}
