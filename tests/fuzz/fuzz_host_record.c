/* SPDX-License-Identifier: MIT */
/* Any record of host settings is refused, or names only settings that wgxdp can have made. */
#include <stdlib.h>
#include <string.h>

#include "fuzz_main.h"
#include "host/record.h"

static void require(bool what)
{
	if (!what)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Most inputs get a part of a valid record, which a fuzzer would hardly ever guess. */
	static const char frame[] =
		"{\"netns\":7,\"src_valid_mark\":true,\"nft4\":true,\"nft6\":true,"
		"\"dns\":\"resolvconf\",\"dns_name\":\"wg0\",\"rules\":[{\"family\":4,"
		"\"priority\":32765,\"table\":51820,\"fwmark\":51820,\"invert\":true,"
		"\"suppress\":-1}]}";
	size_t at = size > 2 ? (size_t)data[0] | (size_t)(data[1] & 1) << 8 : 0, len = 0;
	char *text = malloc(sizeof(frame) + size);
	struct record r;

	if (at && at < sizeof(frame)) {
		memcpy(text, frame, at);
		len = at;
		data += 2;
		size -= 2;
	}
	memcpy(text + len, data, size);
	len += size;
	if (at && len < sizeof(frame) - 1) { /* the rest of the frame behind the input */
		memcpy(text + len, frame + len, sizeof(frame) - 1 - len);
		len = sizeof(frame) - 1;
	}
	if (!record_parse(&r, text, len)) {
		require(r.rules.count <= RULES_MAX);
		require(r.dns.tool <= DNS_RESOLVCONF);
		require(memchr(r.dns.name, '\0', sizeof(r.dns.name)) != NULL);
		for (unsigned i = 0; i < r.rules.count; i++)
			require(r.rules.list[i].suppress_prefixlength >= -1);
	}
	free(text);
	return 0;
}
