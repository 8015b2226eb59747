/* SPDX-License-Identifier: MIT */
/* fuzz_host_record.c - the parsers of the record of host settings and of the record of NIC settings
 * either refuse a text, or yield only settings that wgxdp can have made. */
#include <stdlib.h>
#include <string.h>

#include "fuzz_main.h"
#include "host/record.h"
#include "host/tuning.h"

static void require(bool what)
{
	if (!what)
		abort();
}

static void read_tuning(const char *text, size_t len)
{
	json_t *json = json_loadb(text, len, 0, NULL);
	struct tuning t = { .count = 0 };

	if (json && !tuning_parse(&t, json)) {
		require(t.count <= TUNING_MAX);
		for (unsigned i = 0; i < t.count; i++) {
			require(t.changes[i].ifindex > 0);
			require(t.changes[i].offload < ETHTOOL_OFFLOADS);
		}
	}
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Many inputs get a part of a valid record, because a fuzzer would hardly ever guess such
	 * text. */
	static const char host[] =
		"{\"netns\":7,\"src_valid_mark\":true,\"nft4\":true,\"nft6\":true,"
		"\"dns\":\"resolvconf\",\"dns_name\":\"wg0\",\"other_dns\":\"resolvectl\","
		"\"other_dns_name\":\"tun.wg0\",\"rules\":[{\"family\":4,"
		"\"priority\":32765,\"table\":51820,\"fwmark\":51820,\"invert\":true,"
		"\"suppress\":-1}]}";
	static const char nics[] =
		"{\"netns\":7,\"changes\":[{\"ifindex\":2,\"channels\":[[0,0,1],[0,0,4]]},"
		"{\"ifindex\":3,\"offload\":\"rx-lro\"}]}";
	const char *frame = size > 1 && data[1] & 2 ? nics : host;
	size_t frame_size = strlen(frame) + 1;
	size_t at = size > 2 ? (size_t)data[0] | (size_t)(data[1] & 1) << 8 : 0, len = 0;
	char *text = malloc(frame_size + size);
	struct record r;

	if (at && at < frame_size) {
		memcpy(text, frame, at);
		len = at;
		data += 2;
		size -= 2;
	}
	memcpy(text + len, data, size);
	len += size;
	if (at && len < frame_size - 1) { /* append the end of the valid record */
		memcpy(text + len, frame + len, frame_size - 1 - len);
		len = frame_size - 1;
	}
	if (!record_parse(&r, text, len)) {
		require(r.rules.count <= RULES_MAX);
		require(r.dns.tool <= DNS_RESOLVCONF);
		require(memchr(r.dns.name, '\0', sizeof(r.dns.name)) != NULL);
		require(r.other_dns.tool <= DNS_RESOLVCONF);
		require(memchr(r.other_dns.name, '\0', sizeof(r.other_dns.name)) != NULL);
		for (unsigned i = 0; i < r.rules.count; i++)
			require(r.rules.list[i].suppress_prefixlength >= -1);
	}
	read_tuning(text, len);
	free(text);
	return 0;
}
