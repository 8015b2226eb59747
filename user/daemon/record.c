/* SPDX-License-Identifier: MIT */
#include "daemon/record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/chainlink.h"
#include "daemon/tclink.h"

static unsigned long long our_netns(void)
{
	struct stat s;

	return stat("/proc/self/ns/net", &s) ? 0 : s.st_ino;
}

static void print_neighbour(FILE *out, const struct encap_next *next)
{
	unsigned len = next->family == AF_INET ? 4 : 16;

	fprintf(out, "neighbour %u ", next->ifindex);
	for (unsigned i = 0; i < len; i++)
		fprintf(out, "%02x", next->addr[i]);
	fputc('\n', out);
}

int record_write(int lock_fd, const struct nexthop_managed *managed)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int err = 0;

	if (!out)
		return -errno;
	fprintf(out, "%d\nnetns %llu\n", getpid(), our_netns());
	for (unsigned i = 0; i < managed->count; i++)
		print_neighbour(out, &managed->list[i]);
	if (fclose(out))
		err = -errno;
	else if (ftruncate(lock_fd, 0) || pwrite(lock_fd, text, len, 0) != (ssize_t)len)
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

static void release_neighbours(FILE *record)
{
	struct netlink *nl = netlink_open();
	unsigned long long netns = 0;
	struct encap_next next;
	char line[96];

	while (nl && fgets(line, sizeof(line), record)) {
		sscanf(line, "netns %llu", &netns);
		if (netns && netns == our_netns() && parse_neighbour(line, &next))
			netlink_neighbour_release(nl, next.ifindex, next.family, next.addr);
	}
	netlink_close(nl);
}

void record_undo(const char *interface, int lock_fd)
{
	struct stat s;
	FILE *record;
	int fd;

	if (fstat(lock_fd, &s) || !s.st_size) /* its owner, if any, cleaned up */
		return;
	tclink_clean(interface);
	chainlink_clean(interface);
	fd = dup(lock_fd);
	record = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (record) {
		release_neighbours(record);
		fclose(record);
	} else if (fd >= 0) {
		close(fd);
	}
}
