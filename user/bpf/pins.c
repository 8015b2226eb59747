/* SPDX-License-Identifier: MIT */
#include "bpf/pins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "wgxdp/limits.h"

#define PARENT PINS_ROOT "/wgxdp"

static bool is_bpffs(void)
{
	struct statfs s;

	return !statfs(PINS_ROOT, &s) && s.f_type == BPF_FS_MAGIC;
}

/* Writes the path of the interface's directory. bpffs refuses dots in names, and interface names
 * have no colons, so '.' is written as ':'. */
static int write_path(char path[static PINS_PATH_MAX], const char *interface)
{
	size_t len = strlen(interface);

	if (!len || len > IFNAME_MAX || strpbrk(interface, "/:"))
		return -EINVAL;
	snprintf(path, PINS_PATH_MAX, "%s/%s", PARENT, interface);
	for (char *c = path + sizeof(PARENT); *c; c++)
		if (*c == '.')
			*c = ':';
	return 0;
}

/* Makes @path, or accepts a directory that this user owns. A bpffs may be writable for everybody,
 * so the owner must be checked. */
static int make_directory(const char *path)
{
	struct stat s;

	if (!mkdir(path, 0700))
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (lstat(path, &s))
		return -errno;
	if (!S_ISDIR(s.st_mode) || s.st_uid != geteuid())
		return -EPERM;
	return chmod(path, 0700) ? -errno : 0;
}

static void remove_contents(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;

	if (!dir)
		return;
	while ((e = readdir(dir)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			unlinkat(dirfd(dir), e->d_name, 0);
	closedir(dir);
}

int pins_init(struct pins *p, const char *interface, struct fault *f)
{
	char path[PINS_PATH_MAX];
	int err;

	p->path[0] = '\0';
	err = write_path(path, interface);
	if (err)
		return fault(f, err,
			     "\"%s\" is no interface name; use 1 to %d characters without '/' and "
			     "':'",
			     interface, IFNAME_MAX);
	if (!is_bpffs())
		return 0;
	/* Another daemon that ends may remove the parent between the two steps. */
	do {
		err = make_directory(PARENT);
		if (!err)
			err = make_directory(path);
	} while (err == -ENOENT && is_bpffs());
	if (err == -EPERM)
		return fault(f, err, "%s or its parent is not a directory of ours; remove it",
			     path);
	if (err)
		return fault(f, err, "making %s: %s", path, strerror(-err));
	remove_contents(path);
	memcpy(p->path, path, sizeof(path));
	return 0;
}

void pins_done(struct pins *p)
{
	if (!p->path[0])
		return;
	remove_contents(p->path);
	rmdir(p->path);
	rmdir(PARENT); /* fails while it holds other interfaces, as it should */
	p->path[0] = '\0';
}

int pins_add(const struct pins *p, const char *name, int fd, struct fault *f)
{
	char path[PINS_PATH_MAX + 32];

	if (!p->path[0])
		return 0;
	snprintf(path, sizeof(path), "%s/%s", p->path, name);
	if (bpf_obj_pin(fd, path))
		return fault(f, -errno, "pinning %s: %s", path, strerror(errno));
	return 0;
}

static uint32_t pinned_id(const char *path)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	int fd = bpf_obj_get(path);

	if (fd < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		info.id = 0;
	close(fd);
	return info.id;
}

bool pins_find(const char *name, uint32_t map_id, char interface[static IFNAME_MAX + 1])
{
	DIR *dir = is_bpffs() ? opendir(PARENT) : NULL;
	char path[PINS_PATH_MAX + 32];
	struct dirent *e;
	bool found = false;

	while (dir && !found && (e = readdir(dir))) {
		if (strlen(e->d_name) > IFNAME_MAX)
			continue;
		snprintf(path, sizeof(path), PARENT "/%.*s/%s", IFNAME_MAX, e->d_name, name);
		found = pinned_id(path) == map_id;
		if (found)
			snprintf(interface, IFNAME_MAX + 1, "%.*s", IFNAME_MAX, e->d_name);
	}
	for (char *c = interface; found && *c; c++)
		if (*c == ':')
			*c = '.';
	if (dir)
		closedir(dir);
	return found;
}
