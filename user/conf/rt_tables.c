/* SPDX-License-Identifier: MIT */
#include "conf/rt_tables.h"

#include <glob.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "conf/valuetext.h"

/* Patterns for glob(3). The administrator's files come before the distribution's files. */
static const char *const places[] = {
	"/etc/iproute2/rt_tables",	 "/etc/iproute2/rt_tables.d/*.conf",
	"/usr/share/iproute2/rt_tables", "/usr/share/iproute2/rt_tables.d/*.conf",
	"/usr/lib/iproute2/rt_tables",	 "/usr/lib/iproute2/rt_tables.d/*.conf",
};

static const struct {
	const char *name;
	uint32_t id;
} known[] = {
	{ "default", RT_TABLE_DEFAULT },
	{ "main", RT_TABLE_MAIN },
	{ "local", RT_TABLE_LOCAL },
};

bool rt_tables_find_in(const char *path, const char *name, uint32_t *id)
{
	char line[512], number[16], found[256];
	FILE *file = fopen(path, "re");
	bool match = false;

	if (!file)
		return false;
	while (!match && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "#\n")] = '\0';
		match = sscanf(line, "%15s %255s", number, found) == 2 &&
			strcmp(found, name) == 0 && valuetext_number_0x(number, UINT32_MAX, id);
	}
	fclose(file);
	return match;
}

bool rt_tables_find(const char *name, uint32_t *id)
{
	bool match = false;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(name, known[i].name) == 0) {
			*id = known[i].id;
			return true;
		}
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && !match; i++) {
		glob_t paths;

		if (glob(places[i], 0, NULL, &paths) != 0)
			continue;
		for (size_t j = 0; j < paths.gl_pathc && !match; j++)
			match = rt_tables_find_in(paths.gl_pathv[j], name, id);
		globfree(&paths);
	}
	return match;
}
