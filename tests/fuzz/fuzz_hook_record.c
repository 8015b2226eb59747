/* SPDX-License-Identifier: MIT */
/* hook_record_parse() either refuses the input or uses all of it: the magic, the path of the config
 * file, and the hooks, each preceded by the letter of its kind. Each of these strings ends in a
 * NUL. */
#include <stdlib.h>
#include <string.h>

#include "daemon/hook_record.h"
#include "fuzz_main.h"

static size_t lengths(const struct conf_list *list)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < list->count; i++)
		sum += strlen(list->items[i]) + 2; /* its letter and its NUL */
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char head[] = HOOK_RECORD_MAGIC;
	char *text = malloc(sizeof(head) + size + 1);
	struct hook_record r;

	/* Every input starts with the magic, which a fuzzer would hardly ever guess. */
	memcpy(text, head, sizeof(head));
	memcpy(text + sizeof(head), data, size);
	size += sizeof(head);
	if (hook_record_parse(&r, text, size)) {
		free(text);
		return 0;
	}
	if (sizeof(head) + strlen(r.path) + 1 + lengths(&r.pre_down) + lengths(&r.post_down) !=
	    size)
		abort();
	hook_record_done(&r);
	return 0;
}
