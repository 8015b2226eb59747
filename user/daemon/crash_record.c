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
#include "io/neighbours.h"
#include "io/netns.h"
#include "util/file.h"

#define LINE_LEN 96

/* Lines ---------------------------------------------------------------------------------------- */

static void print_neighbour(char line[static LINE_LEN], const struct encap_next *next, bool managed)
{
	unsigned len = next->family == AF_INET ? 4 : 16;
	int at = snprintf(line, LINE_LEN, "%s %u ", managed ? "neighbour" : "released",
			  next->ifindex);

	for (unsigned i = 0; i < len; i++)
		at += snprintf(line + at, LINE_LEN - (size_t)at, "%02x", next->addr[i]);
	snprintf(line + at, LINE_LEN - (size_t)at, "\n");
}

/* Parses a line about a neighbour. Returns false if the line is of another kind. */
static bool parse_neighbour(const char *line, struct encap_next *next, bool *managed)
{
	char word[16], hex[33];
	size_t len;

	*next = (struct encap_next){ 0 };
	if (sscanf(line, "%15s %u %32[0-9a-f]", word, &next->ifindex, hex) != 3)
		return false;
	len = strlen(hex);
	*managed = !strcmp(word, "neighbour");
	if ((len != 8 && len != 32) || (!*managed && strcmp(word, "released") != 0))
		return false;
	next->family = len == 8 ? AF_INET : AF_INET6;
	for (unsigned i = 0; i < len / 2; i++)
		sscanf(hex + (size_t)2 * i, "%2hhx", &next->addr[i]);
	return true;
}

/* The neighbours that the kernel still manages, according to a record. */
struct managed {
	struct encap_next *list;
	unsigned count;
};

static void set_managed(struct managed *m, const struct encap_next *next, bool managed)
{
	unsigned i = 0;

	while (i < m->count && !encap_next_same(&m->list[i], next))
		i++;
	if (!managed && i < m->count)
		m->list[i] = m->list[--m->count];
	if (managed && i == m->count && m->count < NEIGHBOURS_MAX)
		m->list[m->count++] = *next;
}

/* Reads a record. Returns 0 with @m filled in, whose list the caller frees, or -ENOMEM. */
static int read_managed(FILE *record, struct managed *m)
{
	struct encap_next next;
	char line[LINE_LEN];
	bool managed;

	*m = (struct managed){ .list = calloc(NEIGHBOURS_MAX, sizeof(*m->list)) };
	if (!m->list)
		return -ENOMEM;
	rewind(record);
	while (fgets(line, sizeof(line), record))
		if (parse_neighbour(line, &next, &managed))
			set_managed(m, &next, managed);
	return 0;
}

/* Opens a new stream for the file that @lock_fd has locked. Returns NULL on failure. */
static FILE *open_record(int lock_fd)
{
	int fd = dup(lock_fd);
	FILE *record = fd >= 0 ? fdopen(fd, "r") : NULL;

	if (!record && fd >= 0)
		close(fd);
	return record;
}

/* Writing -------------------------------------------------------------------------------------- */

static int append(int fd, const char *text, size_t len)
{
	off_t end = lseek(fd, 0, SEEK_END);
	int err;

	if (end < 0)
		return -errno;
	err = file_write(fd, text, len);
	/* Remove what was written of this line, because the next line would be appended to it. */
	if (err && ftruncate(fd, end))
		return -errno;
	return err;
}

static int begin_file(int fd)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "%d\nnetns %" PRIu64 "\n", getpid(),
			   netns_of_process("self"));

	return ftruncate(fd, 0) ? -errno : append(fd, text, (size_t)len);
}

int crash_record_begin(struct crash_record *r, int lock_fd)
{
	*r = (struct crash_record){ .lock_fd = lock_fd };
	return begin_file(lock_fd);
}

/* Rewrites the record without the lines that cancel each other. If the process is killed during the
 * rewrite, some neighbours are missing in the record and stay managed, which costs the host an
 * occasional ARP request. */
static int rewrite(struct crash_record *r)
{
	FILE *record = open_record(r->lock_fd);
	struct managed m;
	char line[LINE_LEN];
	int err;

	if (!record)
		return -errno;
	err = read_managed(record, &m);
	fclose(record);
	if (err)
		return err;
	err = begin_file(r->lock_fd);
	for (unsigned i = 0; i < m.count && !err; i++) {
		print_neighbour(line, &m.list[i], true);
		err = append(r->lock_fd, line, strlen(line));
	}
	free(m.list);
	r->useless = 0;
	return err;
}

int crash_record_neighbour(struct crash_record *r, const struct encap_next *next, bool managed)
{
	char line[LINE_LEN];
	int err;

	print_neighbour(line, next, managed);
	err = append(r->lock_fd, line, strlen(line));
	if (!managed)
		r->useless += 2;
	return !err && r->useless > RECORD_SLACK ? rewrite(r) : err;
}

/* Undoing -------------------------------------------------------------------------------------- */

struct undo {
	const char *interface;
	FILE *record;
};

/* Removes what the dead owner left in the network namespace of the calling thread. */
static int undo(void *ctx)
{
	const struct undo *u = ctx;
	struct netlink *nl = netlink_open();
	struct managed m = { 0 };

	tclink_clean(u->interface);
	chainlink_clean(u->interface);
	if (nl && !read_managed(u->record, &m))
		for (unsigned i = 0; i < m.count; i++)
			netlink_neighbour_release(nl, m.list[i].ifindex, m.list[i].family,
						  m.list[i].addr);
	free(m.list);
	netlink_close(nl);
	return 0;
}

static uint64_t netns_of_record(FILE *record)
{
	uint64_t ns = 0;
	char line[LINE_LEN];

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

	if (fstat(lock_fd, &s) || !s.st_size) /* a new, empty file: nothing was left behind */
		return;
	u.record = open_record(lock_fd);
	if (!u.record)
		return;
	ns = netns_of_record(u.record);
	if (!ns || ns == netns_of_process("self")) {
		undo(&u);
	} else {
		/* If the namespace no longer exists, neither do its neighbour entries. */
		fd = netns_open(ns);
		if (fd >= 0) {
			netns_call(fd, undo, &u);
			close(fd);
		}
	}
	fclose(u.record);
}
