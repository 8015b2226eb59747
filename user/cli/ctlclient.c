/* SPDX-License-Identifier: MIT */
#include "cli/ctlclient.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/name_lock.h"
#include "util/buffer.h"
#include "version.h"
#include "wgxdp/control.h"

#define READ_SIZE 65536
#define REACH_S 30
#define REPLY_MAX                                                                                  \
	(1U << 30) /* bytes; a reply can have 2 million allowed IPs of 45 bytes, and their peers */

static int open_socket(const char *interface, unsigned timeout_s, struct fault *f)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval timeout = { .tv_sec = timeout_s };
	int fd, err, pid;
	char process[32] = "";

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%.32s%s", CONTROL_DIRECTORY,
		 interface, CONTROL_SUFFIX);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fault(f, -errno, "%s: %s", interface, strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	err = errno == ECONNREFUSED ? -ENOENT : -errno;
	close(fd);
	if (err == -ENOENT && name_lock_is_stale(interface, &pid)) {
		if (pid)
			snprintf(process, sizeof(process), ", process %d,", pid);
		return fault(f, err,
			     "%s: its daemon%s was killed; run `wgxdp detach %s%s` to remove its "
			     "files, then attach again",
			     interface, process, fault_dashes(interface), interface);
	}
	if (err == -ENOENT)
		return fault(f, err,
			     "%s: no wgxdp serves this interface; `wgxdp show` lists the "
			     "interfaces that are served",
			     interface);
	if (err == -EACCES)
		return fault(f, err, "%s: permission denied; run the command as root", interface);
	return fault(f, err, "%s: %s: %s", interface, address.sun_path, strerror(-err));
}

/* Sends the request and a newline. Returns 0 or -errno. */
static int send_request(int fd, const json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	struct buffer out = { 0 };
	ssize_t n;
	int err = 0;

	buffer_printf(&out, "%s\n", text ? text : "");
	if (!text || out.failed)
		err = -ENOMEM;
	free(text);
	while (!err && buffer_len(&out)) {
		/* A signal or the timeout may end send() early. The call then returns how much it
		 * has sent, and does not set errno. */
		n = send(fd, out.data + out.at, buffer_len(&out), MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			err = -errno;
		buffer_consume(&out, n > 0 ? (size_t)n : 0);
	}
	buffer_done(&out);
	return err;
}

/* Sends the request and reads one line. Returns 0 or -errno; -ECONNRESET or -EPIPE if the daemon
 * ends meanwhile. */
static int talk(int fd, const json_t *request, struct buffer *in)
{
	int err = send_request(fd, request);
	ssize_t n;

	while (!err) {
		if (buffer_len(in) > REPLY_MAX)
			return -EMSGSIZE;
		if (!buffer_reserve(in, READ_SIZE))
			return -ENOMEM;
		n = recv(fd, in->data + in->end, READ_SIZE, 0);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno != EINTR)
			return -errno;
		in->end += n > 0 ? (size_t)n : 0;
		if (n > 0 && in->data[in->end - 1] == '\n')
			return 0;
	}
	return err;
}

bool ctlclient_version_differs(const char *interface, const json_t *reply, struct fault *f)
{
	const char *version = json_string_value(json_object_get(reply, CONTROL_VERSION));

	if (version && !strcmp(version, WGXDP_VERSION))
		return false;
	fault(f, 0,
	      "the daemon is wgxdp %.64s, this command is " WGXDP_VERSION
	      "; restart %s to use " WGXDP_VERSION,
	      version ? version : "0.2.0 or older", interface);
	return true;
}

int ctlclient_reach(const char *interface, struct fault *f)
{
	int fd = open_socket(interface, REACH_S, f);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

int ctlclient_request(const char *interface, const char *op, unsigned timeout_s, json_t **reply,
		      struct fault *f)
{
	return ctlclient_ask(interface, json_pack("{s:s}", CONTROL_OP, op), timeout_s, reply, f);
}

int ctlclient_ask(const char *interface, json_t *request, unsigned timeout_s, json_t **reply,
		  struct fault *f)
{
	struct buffer in = { 0 };
	struct fault versions;
	json_t *object = NULL;
	const char *refusal;
	int err, fd = open_socket(interface, timeout_s, f);

	if (fd < 0) {
		json_decref(request);
		return fd;
	}
	err = talk(fd, request, &in);
	if (err == -EAGAIN) {
		err = fault(f, -ETIMEDOUT,
			    "%s: the daemon has not answered within %u s; is it stopped?",
			    interface, timeout_s);
		goto out;
	}
	if (err == -ECONNRESET || err == -EPIPE) {
		fault(f, err, "%s: the daemon ended before its answer was complete", interface);
		goto out;
	}
	if (err) {
		fault(f, err, "%s: the daemon's answer cannot be read: %s", interface,
		      strerror(-err));
		goto out;
	}
	object = json_loadb(in.data, buffer_len(&in), 0, NULL);
	if (!json_is_object(object)) {
		err = fault(f, -EPROTO, "%s: the daemon's answer is not a JSON object", interface);
		goto out;
	}
	refusal = json_string_value(json_object_get(object, CONTROL_ERROR));
	if (refusal) {
		if (ctlclient_version_differs(interface, object, &versions))
			fault(f, 0, "%s: %s: %s", interface, refusal, versions.text);
		else
			fault(f, 0, "%s: %s", interface, refusal);
		err = json_is_true(json_object_get(object, CONTROL_FAILED)) ? -ECANCELED
									    : -EREMOTEIO;
		goto out;
	}
	*reply = json_incref(object);
out:
	json_decref(object);
	json_decref(request);
	buffer_done(&in);
	close(fd);
	return err;
}

static int is_socket_name(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name), suffix = sizeof(CONTROL_SUFFIX) - 1;

	return len > suffix && len - suffix <= IFNAME_MAX &&
	       strcmp(entry->d_name + len - suffix, CONTROL_SUFFIX) == 0;
}

int ctlclient_interfaces(char (**names)[IFNAME_MAX + 1], struct fault *f)
{
	struct dirent **list;
	int n = scandir(CONTROL_DIRECTORY, &list, is_socket_name, alphasort);

	if (n < 0 && errno == ENOENT) {
		*names = NULL;
		return 0;
	}
	if (n < 0)
		return fault(f, -errno, "%s: %s%s", CONTROL_DIRECTORY, strerror(errno),
			     errno == EACCES ? "; run the command as root" : "");
	*names = calloc((size_t)n + 1, sizeof(**names));
	for (int i = 0; i < n; i++) {
		if (*names)
			memcpy((*names)[i], list[i]->d_name,
			       strlen(list[i]->d_name) - (sizeof(CONTROL_SUFFIX) - 1));
		free(list[i]);
	}
	free(list);
	return *names ? n : fault(f, -ENOMEM, "out of memory");
}
