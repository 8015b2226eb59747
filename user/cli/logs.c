/* SPDX-License-Identifier: MIT */
/* logs.c - wgxdp logs IFACE: the last lines of the log, which the daemon keeps in its memory. */
#include <stdio.h>
#include <time.h>

#include "cli/cli.h"
#include "wgxdp/control.h"

#define TIMEOUT_S 10

static void print_line(const json_t *line)
{
	json_int_t ms = json_integer_value(json_object_get(line, "time_ms"));
	const char *level = json_string_value(json_object_get(line, "level"));
	const char *text = json_string_value(json_object_get(line, "text"));
	char date[sizeof("2026-11-27 10:00:00")] = "?";
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(date, sizeof(date), "%F %T", &tm);
	printf("%s.%03d %s: %s\n", date, (int)(ms % 1000), level ? level : "?", text ? text : "?");
}

int logs_main(int argc, char **argv)
{
	char interface[IFNAME_MAX + 1];
	json_t *reply = NULL, *line;
	json_int_t earlier;
	size_t i;
	int exit;

	if (argc != 2 || cli_is_option(&argv[1]))
		return cli_usage("logs IFACE|CONF", argv[1]);
	exit = cli_ask(argv[1], json_pack("{s:s}", CONTROL_OP, CONTROL_OP_LOGS), TIMEOUT_S,
		       interface, &reply);
	if (exit)
		return exit;
	earlier = json_integer_value(json_object_get(reply, "earlier"));
	if (earlier)
		printf("(%lld earlier lines are not kept)\n", (long long)earlier);
	json_array_foreach (json_object_get(reply, "lines"), i, line)
		print_line(line);
	json_decref(reply);
	return CLI_OK;
}
