/* SPDX-License-Identifier: MIT */
#include "daemon/crash_record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf/chainlink.h"
#include "bpf/tclink.h"
#include "io/netns.h"

static void print_neighbour(FILE *out, const struct encap_next *next)
{
	unsigned len = next->family == AF_INET ? 4 : 16;

	fprintf(out, "neighbour %u ", next->ifindex);
	for (unsigned i = 0; i < len; i++)
		fprintf(out, "%02x", next->addr[i]);
	fputc('\n', out);
}

int crash_record_write(int lock_fd, const struct nexthop_managed *managed)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int err = 0;

	if (!out)
		return -errno;
	fprintf(out, "%d\nnetns %" PRIu64 "\n", getpid(), netns_of_process("self"));
	for (unsigned i = 0; i < managed->count; i++)
		print_neighbour(out, &managed->list[i]);
	if (fclose(out) || ftruncate(lock_fd, 0) || pwrite(lock_fd, text, len, 0) != (ssize_t)len)
		err = -errno;
	free(text);
	return err;
}

static bool parse_neighbour(const char *line, struct encap_next *next)
{
	char hex[33];
	size_t len;

	*next = (struct encap_next){ 0 };
	if (sscanf(line, "neighbour %u %32[0-9a-f]", &next->ifindex, hex) != 2)
		return false;
	len = strlen(hex);
	if (len != 8 && len != 32)
		return false;
	next->family = len == 8 ? AF_INET : AF_INET6;
	for (unsigned i = 0; i < len / 2; i++)
		sscanf(hex + (size_t)2 * i, "%2hhx", &next->addr[i]);
	return true;
}

struct undo {
	const char *interface;
	FILE *record;
};

/* Works in the network namespace of the calling thread. */
static int undo(void *ctx)
{
	const struct undo *u = ctx;
	struct netlink *nl = netlink_open();
	struct encap_next next;
	char line[96];

	tclink_clean(u->interface);
	chainlink_clean(u->interface);
	rewind(u->record);
	while (nl && fgets(line, sizeof(line), u->record))
		if (parse_neighbour(line, &next))
			netlink_neighbour_release(nl, next.ifindex, next.family, next.addr);
	netlink_close(nl);
	return 0;
}

static uint64_t netns_of_record(FILE *record)
{
	uint64_t ns = 0;
	char line[96];

	rewind(record);
	while (!ns && fgets(line, sizeof(line), record))
		if (!strncmp(line, "netns ", 6))
			ns = strtoull(line + 6, NULL, 10);
	return ns;
}

void crash_record_undo(const char *interface, int lock_fd)
{
	struct undo u = { .interface = interface };
	struct stat s;
	uint64_t ns;
	int fd;

	if (fstat(lock_fd, &s) || !s.st_size) /* the last owner cleaned up itself */
		return;
	fd = dup(lock_fd);
	u.record = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (!u.record) {
		if (fd >= 0)
			close(fd);
		return;
	}
	ns = netns_of_record(u.record);
	if (!ns || ns == netns_of_process("self")) {
		undo(&u);
	} else {
		fd = netns_open(ns); /* fails if the namespace is gone, and everything in it */
		if (fd >= 0) {
			netns_call(fd, undo, &u);
			close(fd);
		}
	}
	fclose(u.record);
}
