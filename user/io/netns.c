/* SPDX-License-Identifier: MIT */
#include "io/netns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/magic.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NAMED "/run/netns" /* ip-netns(8) */

struct call {
	int fd;
	int (*fn)(void *ctx);
	void *ctx;
	int result;
};

static void *thread_main(void *arg)
{
	struct call *c = arg;

	c->result = setns(c->fd, CLONE_NEWNET) ? -errno : c->fn(c->ctx);
	return NULL;
}

int netns_call(int fd, int (*fn)(void *ctx), void *ctx)
{
	struct call c = { .fd = fd, .fn = fn, .ctx = ctx };
	pthread_t thread;
	int err = pthread_create(&thread, NULL, thread_main, &c);

	if (err)
		return -err;
	pthread_join(thread, NULL);
	return c.result;
}

int netns_of_tun(int tun_fd)
{
	int fd = ioctl(tun_fd, TUNGETDEVNETNS);

	return fd < 0 ? -errno : fd;
}

/* Returns the inode of the namespace at @path, 0 if there is none. */
static uint64_t inode(const char *path)
{
	struct statfs fs;
	struct stat s;

	if (statfs(path, &fs) || fs.f_type != NSFS_MAGIC || stat(path, &s))
		return 0;
	return s.st_ino;
}

uint64_t netns_of_process(const char *pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	return inode(path);
}

/* Searches the entries of @directory for one whose file @directory/ENTRY@suffix is the namespace
 * with the inode @ns. Sets @path to this file. Returns 0, -ENOENT if there is none, or another
 * -errno if @directory cannot be read. */
static int find(const char *directory, const char *suffix, uint64_t ns, char path[static PATH_MAX])
{
	const struct dirent *e;
	bool found = false;
	DIR *d = opendir(directory);

	if (!d)
		return -errno;
	while (!found && (e = readdir(d)))
		found = snprintf(path, PATH_MAX, "%s/%s%s", directory, e->d_name, suffix) <
				PATH_MAX &&
			inode(path) == ns;
	closedir(d);
	return found ? 0 : -ENOENT;
}

bool netns_name(uint64_t ns, char name[static NETNS_NAME_LEN])
{
	char path[PATH_MAX];

	if (!ns || find(NAMED, "", ns, path))
		return false;
	snprintf(name, NETNS_NAME_LEN, "%.*s", NAME_MAX, path + sizeof(NAMED));
	return true;
}

int netns_open(uint64_t ns)
{
	char path[PATH_MAX];
	int fd, err = ns ? find(NAMED, "", ns, path) : -ENOENT;

	if (ns && err)
		err = find("/proc", "/ns/net", ns, path);
	if (err)
		return err;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
