/* SPDX-License-Identifier: MIT */
/* json_text.h - makes JSON strings of texts that may contain any bytes, such as names of NICs. */
#ifndef WGXDP_JSON_TEXT_H
#define WGXDP_JSON_TEXT_H

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Returns @from as a JSON string, which must be UTF-8. If @from is not valid UTF-8, for example
 * because it was truncated, each byte above 127 becomes '?'. */
static inline json_t *json_text(const char *from)
{
	json_t *string = json_string(from);
	char *copy = string ? NULL : strdup(from);

	for (char *at = copy; at && *at; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	if (copy)
		string = json_string(copy);
	free(copy);
	return string;
}

#endif
