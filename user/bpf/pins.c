/* SPDX-License-Identifier: MIT */
#include "bpf/pins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "util/log.h"
#include "wgxdp/control.h"
#include "wgxdp/limits.h"

#define PARENT PINS_ROOT "/wgxdp"

/* How long to wait for the lock of a killed daemon. The kernel releases the lock only late in the
 * exit of the process. */
#define LOCK_WAIT_MS 2000
#define POLL_MS 10

/* Returns the magic number of the file system at PINS_ROOT, or 0 if there is no such directory. */
static long root_magic(void)
{
	struct statfs s;

	return statfs(PINS_ROOT, &s) ? 0 : s.f_type;
}

static bool is_bpffs(void)
{
	return root_magic() == BPF_FS_MAGIC;
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

/* --- the file system ------------------------------------------------------------------------- */

/* Mounts a bpffs at PINS_ROOT if PINS_ROOT is still a directory of sysfs, with no mount on it.
 * Only this mount namespace sees the bpffs, unless /sys is shared with other namespaces. */
static int mount_if_missing(struct fault *why)
{
	switch (root_magic()) {
	case BPF_FS_MAGIC:
		return 0;
	case SYSFS_MAGIC:
		break;
	case 0:
		return fault(why, -ENOENT, "there is no directory %s", PINS_ROOT);
	default:
		return fault(why, -ENOTSUP,
			     "another file system is mounted at %s; it must be a bpffs", PINS_ROOT);
	}
	if (mount("bpf", PINS_ROOT, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
		return fault(
			why, -errno,
			"cannot mount a BPF file system at %s: %s; run `mount -t bpf bpf %s` as "
			"root, then attach again",
			PINS_ROOT, strerror(errno), PINS_ROOT);
	log_info("mounted a BPF file system at %s; wgxdp never unmounts it", PINS_ROOT);
	return 0;
}

/* Makes sure that a bpffs is mounted. Holds a lock during this check, so that two daemons cannot
 * mount one bpffs over the other, which would hide the pins in the lower one. */
static int ensure_bpffs(struct fault *why)
{
	int lock_fd = open(CONTROL_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

	if (lock_fd >= 0)
		flock(lock_fd, LOCK_EX);
	err = mount_if_missing(why);
	if (lock_fd >= 0)
		close(lock_fd);
	return err;
}

/* Checks that no other user can replace our directory. A bpffs that other users may write to is
 * accepted only with the sticky bit. Its owner must be root or our own user, because the sticky bit
 * does not restrict the owner. */
static int check_root(struct fault *why)
{
	struct stat s;

	if (stat(PINS_ROOT, &s))
		return fault(why, -errno, "%s: %s", PINS_ROOT, strerror(errno));
	if (s.st_uid && s.st_uid != geteuid())
		return fault(why, -EPERM, "%s belongs to user %u, not to root", PINS_ROOT,
			     s.st_uid);
	if (s.st_mode & 022 && !(s.st_mode & S_ISVTX))
		return fault(why, -EPERM,
			     "other users may write to %s; run `chmod 0700 %s`, then attach again",
			     PINS_ROOT, PINS_ROOT);
	return 0;
}

/* --- the directories ------------------------------------------------------------------------- */

/* Opens the directory @path if this user owns it, and sets its mode to 0700. Returns the fd, or
 * -errno with @why filled in. */
static int open_own(const char *path, struct fault *why)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat s = { 0 };

	if (fd < 0)
		return fault(why, -errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, &s) || s.st_uid != geteuid()) {
		close(fd);
		return fault(why, -EPERM, "%s belongs to user %u; remove it, then attach again",
			     path, s.st_uid);
	}
	fchmod(fd, 0700);
	return fd;
}

/* Creates the directory @path, or accepts an existing one that this user owns. Returns its fd, or
 * -errno with @why filled in. */
static int make_directory(const char *path, struct fault *why)
{
	if (mkdir(path, 0700) && errno != EEXIST)
		return fault(why, -errno, "cannot create %s: %s", path, strerror(errno));
	return open_own(path, why);
}

/* Creates PARENT and, in it, the directory of the interface. Retries if another daemon exits and
 * removes PARENT in between. */
static int make_directories(const char *path, struct fault *why)
{
	int fd;

	do {
		fd = make_directory(PARENT, why);
		if (fd >= 0) {
			close(fd);
			fd = make_directory(path, why);
		}
	} while (fd == -ENOENT && is_bpffs());
	return fd;
}

/* Locks the directory. Returns 0, -EBUSY with @why filled in if a live daemon holds the lock, or
 * -ESTALE if the former owner has removed the directory. */
static int lock_directory(int fd, const char *path, struct fault *why)
{
	struct stat held, named;

	for (unsigned waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB); waited_ms += POLL_MS) {
		if (waited_ms >= LOCK_WAIT_MS)
			return fault(why, -EBUSY,
				     "%s belongs to another running daemon, perhaps in a container",
				     path);
		usleep(POLL_MS * 1000);
	}
	if (fstat(fd, &held) || lstat(path, &named) || held.st_ino != named.st_ino)
		return -ESTALE;
	return 0;
}

/* Creates the directory and locks it. Returns its fd, or -errno with @why filled in. */
static int claim_directory(const char *path, struct fault *why)
{
	int fd, err;

	do {
		fd = make_directories(path, why);
		if (fd < 0)
			return fd;
		err = lock_directory(fd, path, why);
		if (err)
			close(fd);
	} while (err == -ESTALE);
	return err ? err : fd;
}

static void remove_contents(DIR *dir)
{
	struct dirent *e;

	rewinddir(dir);
	while ((e = readdir(dir)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			unlinkat(dirfd(dir), e->d_name, 0);
}

/* --- an interface's pins --------------------------------------------------------------------- */

/* Creates and locks the directory of @interface in the mounted bpffs. Returns 0, or -errno with
 * p->why filled in. */
static int claim(struct pins *p, const char *interface)
{
	char path[PINS_PATH_MAX];
	int err = write_path(path, interface), fd;

	if (err)
		return fault(&p->why, err, "\"%s\" is not a valid interface name", interface);
	err = check_root(&p->why);
	if (err)
		return err;
	fd = claim_directory(path, &p->why);
	if (fd < 0)
		return fd;
	p->dir = fdopendir(fd);
	if (!p->dir) {
		err = fault(&p->why, -errno, "%s: %s", path, strerror(errno));
		close(fd);
		return err;
	}
	remove_contents(p->dir);
	memcpy(p->path, path, sizeof(path));
	return 0;
}

void pins_init(struct pins *p, const char *interface)
{
	int err;

	*p = (struct pins){ 0 };
	err = ensure_bpffs(&p->why);
	if (!err)
		err = claim(p, interface);
	if (err)
		log_info("the BPF maps are not pinned: %s", p->why.text);
}

void pins_done(struct pins *p)
{
	if (!p->path[0])
		return;
	remove_contents(p->dir);
	rmdir(p->path);
	rmdir(PARENT); /* fails, as intended, if other interfaces have directories in it */
	closedir(p->dir);
	p->dir = NULL;
	p->path[0] = '\0';
}

void pins_add(struct pins *p, const char *name, int fd)
{
	char path[PINS_PATH_MAX + 32];

	if (!p->path[0])
		return;
	snprintf(path, sizeof(path), "%s/%s", p->path, name);
	if (!bpf_obj_pin(fd, path))
		return;
	fault(&p->why, -errno, "cannot pin %s: %s", path, strerror(errno));
	pins_done(p);
	log_info("the BPF maps are not pinned: %s", p->why.text);
}

void pins_clean(const char *interface)
{
	struct pins p = { 0 };
	char path[PINS_PATH_MAX];

	if (is_bpffs() && !write_path(path, interface) && !access(path, F_OK) &&
	    !claim(&p, interface))
		pins_done(&p);
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
	int fd = is_bpffs() ? open_own(PARENT, NULL) : -1;
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
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
	else if (fd >= 0)
		close(fd);
	return found;
}
