/* SPDX-License-Identifier: MIT */
/*
 * strip.c - wgxdp strip CONF prints the file without the settings that only wg-quick(8) knows, for
 * `wg setconf` and `wg syncconf`. The output is identical to that of `wg-quick strip`.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/cli.h"
#include "conf/conf.h"
#include "crypto/wipe.h"

static const char *const quick_keys[] = { "Address", "MTU",	"DNS",	    "Table",	 "PreUp",
					  "PostUp",  "PreDown", "PostDown", "SaveConfig" };

/* Removes white space at both ends, as bash's `read` does. */
static char *trim(char *text)
{
	size_t len;

	text += strspn(text, " \t\n");
	len = strlen(text);
	while (len && strchr(" \t\n", text[len - 1]))
		text[--len] = '\0';
	return text;
}

/* Copies to @key the part of the line before the first '=' or '#', or the whole line if it has
 * neither. Leaves out white space at both ends. */
static void key_of(const char *line, char *key, size_t size)
{
	size_t len = strcspn(line, "#=");

	while (len && isspace((unsigned char)*line)) {
		line++;
		len--;
	}
	while (len && isspace((unsigned char)line[len - 1]))
		len--;
	snprintf(key, size, "%.*s", (int)len, line);
}

static bool is_quick_key(const char *key)
{
	for (size_t i = 0; i < sizeof(quick_keys) / sizeof(quick_keys[0]); i++)
		if (!strcasecmp(key, quick_keys[i]))
			return true;
	return false;
}

static void strip(FILE *in)
{
	bool in_interface = false;
	char *line = NULL, key[32];
	size_t size = 0;

	while (getline(&line, &size, in) >= 0) {
		char *text = trim(line);

		key_of(text, key, sizeof(key));
		if (*key == '[')
			in_interface = !strcasecmp(key, "[Interface]");
		if (!in_interface || !is_quick_key(key))
			puts(text);
	}
	putchar('\n');
	if (line)
		wipe(line, size);
	free(line);
}

int strip_main(int argc, char **argv)
{
	char path[PATH_MAX], interface[IFNAME_MAX + 1], buffer[BUFSIZ];
	struct fault f;
	FILE *in;

	if (argc != 2 || cli_is_option(&argv[1]))
		return cli_usage("strip CONF", argv[1]);
	if (conf_find(argv[1], path, interface, &f))
		return cli_fail(CLI_FAILED, "%s", f.text);
	in = fopen(path, "re");
	if (!in)
		return cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
	setvbuf(in, buffer, _IOFBF, sizeof(buffer));
	strip(in);
	fclose(in);
	wipe(buffer, sizeof(buffer));
	return CLI_OK;
}
