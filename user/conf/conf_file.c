/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf.h"
#include "conf/valuetext.h"
#include "util/file.h"

#define SUFFIX ".conf"
#define SUFFIX_LEN (sizeof(SUFFIX) - 1)

static const char *const directories[] = { "/etc/wireguard", "/etc/wgxdp" };

int conf_check_interface(const char *name, struct fault *f)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_=+.-";
	size_t len = strlen(name), good = strspn(name, allowed);

	if (!len)
		return fault(f, -EINVAL,
			     "the name of the interface is empty; write for example wg0");
	if (name[good])
		return fault(f, -EINVAL,
			     "%.64s: the name of an interface consists of letters, digits and "
			     "_ = + . -",
			     name);
	if (len > IFNAME_MAX)
		return fault(f, -EINVAL,
			     "%.64s: the name of an interface has at most %d characters; "
			     "this one has %zu",
			     name, IFNAME_MAX, len);
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return fault(f, -EINVAL,
			     "%s: this is not a valid name for an interface; write for example wg0",
			     name);
	return 0;
}

static bool has_suffix(const char *text, size_t len)
{
	return len >= SUFFIX_LEN && strcmp(text + len - SUFFIX_LEN, SUFFIX) == 0;
}

bool conf_is_path(const char *arg)
{
	return strchr(arg, '/') || has_suffix(arg, strlen(arg));
}

int conf_interface(const char *arg, char interface[static IFNAME_MAX + 1], struct fault *f)
{
	const char *slash = strrchr(arg, '/'), *base = slash ? slash + 1 : arg;
	char name[NAME_MAX + 1];
	size_t len = strlen(base);
	int err;

	if (has_suffix(base, len))
		len -= SUFFIX_LEN;
	else if (slash)
		return fault(f, -EINVAL,
			     "%s: the name of a config file must end in .conf; the part before "
			     "it names the interface",
			     arg);
	if (len > NAME_MAX)
		return fault(f, -ENAMETOOLONG, "%.64s...: this file name is too long", base);
	memcpy(name, base, len);
	name[len] = '\0';
	err = conf_check_interface(name, f);
	if (!err)
		memcpy(interface, name, len + 1);
	return err;
}

/* Explains in @f why the file @path cannot be read, and names the remedy. Returns @err. */
static int cannot_read(const char *path, int err, struct fault *f)
{
	if (err == -EFBIG)
		return fault(f, err, "%s: a config file may have at most %u MiB", path,
			     CONF_FILE_MAX >> 20);
	return fault(f, err, "%s: %s%s", path, strerror(-err), fault_remedy(-err));
}

/* Looks for NAME.conf in /etc/wireguard and /etc/wgxdp, and sets @found to the path of the first
 * file that exists. */
static int find_named(const char *name, char found[static PATH_MAX], struct fault *f)
{
	char here[IFNAME_MAX + sizeof(SUFFIX)], hint[64] = "give a path that ends in .conf";

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		snprintf(found, PATH_MAX, "%s/%s" SUFFIX, directories[i], name);
		if (access(found, F_OK) == 0)
			return 0;
		if (errno != ENOENT && errno != ENOTDIR)
			return cannot_read(found, -errno, f);
	}
	snprintf(here, sizeof(here), "%s" SUFFIX, name);
	if (access(here, F_OK) == 0)
		snprintf(hint, sizeof(hint), "for the file in this directory, give %s", here);
	return fault(f, -ENOENT, "%s: there is no %s/%s" SUFFIX " and no %s/%s" SUFFIX "; %s", name,
		     directories[0], name, directories[1], name, hint);
}

int conf_find(const char *arg, char path[static PATH_MAX], char interface[static IFNAME_MAX + 1],
	      struct fault *f)
{
	char name[IFNAME_MAX + 1], found[PATH_MAX];
	size_t len = strlen(arg);
	int err = conf_interface(arg, name, f);

	if (err)
		return err;
	if (len >= sizeof(found))
		return fault(f, -ENAMETOOLONG, "%.64s...: this path is too long", arg);
	if (!conf_is_path(arg)) {
		err = find_named(name, found, f);
		if (err)
			return err;
	} else if (access(arg, F_OK) != 0) {
		err = -errno;
		if (err == -ENOENT && !strchr(arg, '/') && find_named(name, found, NULL) == 0)
			return fault(f, err,
				     "%s: there is no such file in this directory; if you mean "
				     "%s, give only the name %s",
				     arg, found, name);
		return cannot_read(arg, err, f);
	} else {
		memcpy(found, arg, len + 1);
	}
	memcpy(path, found, strlen(found) + 1);
	memcpy(interface, name, strlen(name) + 1);
	return 0;
}

/* Returns true if other users may access the file, according to its mode and that of its directory.
 * wg-quick(8) makes the same check. */
static bool others_may_access(int fd, const char *path)
{
	struct stat file, directory;
	char parent[PATH_MAX];

	file_directory(path, parent);
	return fstat(fd, &file) == 0 && stat(parent, &directory) == 0 &&
	       (file.st_mode & directory.st_mode & 07);
}

/* Refuses a FIFO or a device, because reload and detach could not read its text a second time. A
 * directory passes this check, because reading it fails anyway. */
static int check_kind(int fd, const char *path, struct fault *f)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		return 0;
	return fault(f, -EINVAL,
		     "%s: this is not a regular file; save the configuration in a regular file",
		     path);
}

/* Opens and reads a file. Returns 0 with *@fd open, which the caller closes; or -errno with @f
 * filled in and nothing open. */
static int load(const char *path, int *fd, struct buffer *text, struct fault *f)
{
	int err;

	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* do not block on a FIFO */
	if (*fd < 0)
		return cannot_read(path, -errno, f);
	err = check_kind(*fd, path, f);
	if (!err) {
		err = file_read(*fd, text, CONF_FILE_MAX);
		if (err)
			cannot_read(path, err, f);
	}
	if (err)
		close(*fd);
	return err;
}

/* Returns true, with a warning in @f, if the file contains a private key and other users may read
 * the file. */
static bool is_exposed(const struct conf *c, int fd, const char *path, struct fault *f)
{
	if (!c->has_private_key || !others_may_access(fd, path))
		return false;
	fault(f, 0, "%s: others may read the private key in it; run chmod 600 %s", path, path);
	return true;
}

int conf_read(struct conf *c, const char *path, conf_warn_fn warn, void *ctx, struct fault *f)
{
	struct buffer text = { 0 };
	struct fault sentence;
	int fd, err;

	err = load(path, &fd, &text, f);
	if (err)
		goto out;
	err = conf_parse(c, text.data, buffer_len(&text), path, warn, ctx, f);
	if (!err && warn && is_exposed(c, fd, path, &sentence))
		warn(ctx, sentence.text);
	close(fd);
out:
	buffer_done(&text);
	return err;
}

int conf_check_file(struct conf *c, const char *path, conf_report_fn report, void *ctx)
{
	struct buffer text = { 0 };
	struct fault sentence;
	int fd, err;

	err = load(path, &fd, &text, &sentence);
	if (err) {
		report(ctx, CONF_FAULT, sentence.text);
		goto out;
	}
	err = conf_check(c, text.data, buffer_len(&text), path, report, ctx);
	if (!err && is_exposed(c, fd, path, &sentence))
		report(ctx, CONF_WARNING, sentence.text);
	close(fd);
out:
	buffer_done(&text);
	return err;
}

int conf_resolve(struct conf_peer *peer)
{
	return peer->host ? valuetext_resolve(&peer->endpoint, peer->host, peer->port, false) : 0;
}
