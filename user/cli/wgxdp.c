/* SPDX-License-Identifier: MIT */
/* wgxdp.c - main(): finds the verb and runs it. */
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/verbs.h"
#include "util/secure.h"
#include "version.h"

static bool is_one_of(const char *word, const char *const words[])
{
	for (; *words; words++)
		if (!strcmp(word, *words))
			return true;
	return false;
}

static const char *const help_words[] = { "--help", "-h", "help", NULL };
static const char *const version_words[] = { "--version", "-V", "-v", "version", NULL };
static const char *const foreground_words[] = { "--foreground", "-f", NULL };

/* Opens /dev/null for each of stdin, stdout and stderr that is closed, so that no socket gets the
 * number of a standard stream and receives its output. */
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

/* Handles a command line without a verb: `wgxdp -f wg0`, or `wgxdp wg0` as wg-quick runs it. */
static int serve_interface(int argc, char **argv)
{
	const char *first = argv[1];
	int code;

	if (cli_is_option(&argv[1]) && is_one_of(first, foreground_words))
		return iface_main(argc, argv);
	if (cli_is_option(&argv[1]))
		return cli_fail(CLI_USAGE, "%s: there is no such option; see wgxdp --help%s", first,
				cli_dash_hint(first));
	code = verbs_refuse(first, argc > 2 && !cli_is_option(&argv[2]));
	return code ? code : iface_main(argc, argv);
}

static int run(int argc, char **argv)
{
	const struct verb *verb;

	secure_forbid_dumps(); /* before the verb reads or makes a key */
	if (!fill_stdio())
		return CLI_FAILED;
	if (sodium_init() < 0)
		return cli_fail(CLI_FAILED, "libsodium cannot be initialised");
	if (argc < 2 || (argc == 2 && !strcmp(argv[1], "--"))) {
		verbs_help(stderr);
		return CLI_USAGE;
	}
	if (is_one_of(argv[1], help_words) || (argc > 2 && is_one_of(argv[2], help_words)))
		return verbs_help(stdout);
	if (is_one_of(argv[1], version_words)) {
		puts("wgxdp " WGXDP_VERSION);
		return CLI_OK;
	}
	if (argc == 3 && !strcmp(argv[1], "--completion") && !strcmp(argv[2], "bash"))
		return verbs_completion(stdout);
	cli_end_options(&argc, argv);
	verb = verbs_find(argv[1]);
	return verb ? verb->main(argc - 1, argv + 1) : serve_interface(argc, argv);
}

int main(int argc, char **argv)
{
	int code = run(argc, argv);

	/* Report a failed write, so that a script that uses the output notices that the output is
	 * incomplete. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && code == CLI_OK)
		code = cli_fail(CLI_FAILED, "the output could not be written; is the disk full?");
	return code;
}
