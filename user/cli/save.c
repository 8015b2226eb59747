/* SPDX-License-Identifier: MIT */
#include "cli/save.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/addresses.h"
#include "cli/cli.h"
#include "cli/ctlclient.h"
#include "conf/conf_write.h"
#include "daemon/hook_record.h"
#include "util/buffer.h"
#include "util/file.h"
#include "util/loop.h"
#include "wgxdp/control.h"
#include "wgxdp/limits.h"

#define TIMEOUT_S 30
/* How long to wait for the end of a reload. The time is less than TimeoutStopSec of the unit,
 * because `wgxdp detach`, with which systemd stops the unit, may also save the config. */
#define SETTLE_S 20
/* How often to try again when the file has changed while it was being saved. */
#define RETRIES 3
#define READ_SIZE 65536
#define REPLY_MAX (1U << 30) /* bytes, as in ctlclient.c */

static int open_socket(const char *interface, struct fault *f)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval timeout = { .tv_sec = TIMEOUT_S };
	int err, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fault(f, -errno, "%s: %s", interface, strerror(errno));
	snprintf(address.sun_path, sizeof(address.sun_path), UAPI_DIRECTORY "/%.32s.sock",
		 interface);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	err = -errno;
	close(fd);
	return fault(f, err, "%s: %s: %s%s", interface, address.sun_path, strerror(-err),
		     fault_remedy(-err));
}

/* The answer to get=1 ends with an empty line. */
static bool is_complete(const struct buffer *in)
{
	return buffer_len(in) >= 2 && !memcmp(in->data + in->end - 2, "\n\n", 2);
}

/* Reads the reply to get=1 into @in. The caller wipes @in. */
static int get(const char *interface, struct buffer *in, struct fault *f)
{
	static const char request[] = "get=1\n\n";
	int fd = open_socket(interface, f), err = 0;
	ssize_t n;

	if (fd < 0)
		return fd;
	if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0)
		err = -errno;
	while (!err && !is_complete(in)) {
		if (buffer_len(in) > REPLY_MAX || !buffer_reserve(in, READ_SIZE)) {
			err = -ENOMEM;
			break;
		}
		n = recv(fd, in->data + in->end, READ_SIZE, 0);
		if (n == 0)
			err = -ECONNRESET;
		else if (n < 0 && errno != EINTR)
			err = -errno;
		in->end += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	if (err == -ECONNRESET || err == -EPIPE)
		return fault(f, err, "%s: the daemon ended before its answer was complete",
			     interface);
	return err ? fault(f, err, "%s: the running state cannot be read: %s", interface,
			   err == -EAGAIN ? "the daemon does not answer" : strerror(-err))
		   : 0;
}

/* Waits until no reload runs, but only until @until_ns (loop_now_ns()). A daemon of an old version
 * does not know this request and refuses it; the running state is saved nevertheless. Returns
 * -ECANCELED with @f filled in if the last reload failed. */
static int settle(const char *interface, uint64_t until_ns, struct fault *f)
{
	uint64_t now_ns = loop_now_ns();
	uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 1;
	unsigned left_s = (unsigned)((left_ns + NS_PER_S - 1) / NS_PER_S);
	struct fault why;
	json_t *reply = NULL;
	int err = ctlclient_request(interface, CONTROL_OP_SETTLE, left_s, &reply, f);

	json_decref(reply);
	if (err == -ETIMEDOUT)
		return fault(f, err,
			     "%s: after %u s a reload still runs, or the file keeps changing, or "
			     "the daemon hangs; run `wgxdp reload %s%s`, and save again when it "
			     "has ended",
			     interface, SETTLE_S, fault_dashes(interface), interface);
	if (err == -ECANCELED) {
		why = *f;
		return fault(f, err, "%.400s; the file was not applied, so it is not overwritten",
			     why.text);
	}
	return err == -EREMOTEIO ? 0 : err;
}

/* Replaces the private key, port, mark and peers in @conf by those of the running daemon. */
static int take_running(const char *interface, struct conf *conf, struct fault *f)
{
	struct buffer in = { 0 };
	int err = get(interface, &in, f);

	if (!err)
		err = conf_set_running(conf, in.data, buffer_len(&in), f);
	buffer_done(&in);
	if (err)
		return err;
	err = addresses_take(conf, interface);
	return err ? fault(f, err, "%s: its addresses cannot be read: %s", interface,
			   strerror(-err))
		   : 0;
}

static int adopt(const char *interface, struct fault *f)
{
	json_t *reply = NULL;
	int err = ctlclient_ask(
		interface, json_pack("{s:s, s:b}", CONTROL_OP, CONTROL_OP_RELOAD, CONTROL_ADOPT, 1),
		TIMEOUT_S, &reply, f);

	json_decref(reply);
	/* For the caller, -ECANCELED means that the file was not written. */
	return err == -ECANCELED ? -EREMOTEIO : err;
}

/* Fails with -ESTALE if the file is not the one that stat(2) described as @read. */
static int check_unchanged(const char *path, const struct stat *read, struct fault *f)
{
	struct stat now;

	if (stat(path, &now))
		return fault(f, -errno, "%s: %s", path, strerror(errno));
	if (file_same(&now, read))
		return 0;
	return fault(f, -ESTALE,
		     "%s: the file has changed while it was being saved, so it is left alone; save "
		     "again",
		     path);
}

static int try_to_save(const char *interface, const char *path, uint64_t until_ns,
		       conf_warn_fn warn, struct fault *f)
{
	struct conf conf = { 0 };
	struct stat read;
	int err = settle(interface, until_ns, f);

	if (!err && stat(path, &read))
		err = fault(f, -errno, "%s: %s", path, strerror(errno));
	if (!err)
		err = conf_read(&conf, path, warn, NULL, f);
	if (!err)
		err = take_running(interface, &conf, f);
	if (!err)
		err = check_unchanged(path, &read, f);
	if (!err)
		err = conf_write(&conf, path, f);
	if (!err)
		err = adopt(interface, f);
	conf_done(&conf);
	return err;
}

/* Another `wgxdp save`, which the daemon answers together with this one, may replace the file
 * first. In this case, and after any other change of the file, the next try waits for the reload
 * that follows. */
int save_running(const char *interface, const char *path, conf_warn_fn warn, struct fault *f)
{
	uint64_t until_ns = loop_now_ns() + SETTLE_S * NS_PER_S;
	int err = try_to_save(interface, path, until_ns, warn, f);

	for (unsigned i = 0; i < RETRIES && err == -ESTALE && loop_now_ns() < until_ns; i++)
		err = try_to_save(interface, path, until_ns, NULL, f);
	return err;
}

/* Checks that a daemon serves the interface. If *@path is NULL, reads @record and sets *@path to
 * the config file that the record names. Returns 0, or -errno with @f filled in. The caller calls
 * hook_record_done(). */
static int find_file(const char *interface, const char **path, struct hook_record *record,
		     struct fault *f)
{
	struct fault why;
	int err = ctlclient_reach(interface, f);

	if (err || *path)
		return err;
	err = hook_record_read(interface, record, &why);
	*path = record->path;
	if (err == -ENOENT)
		return fault(f, err,
			     "%s: the interface was not made from a config file; use `wg showconf`",
			     interface);
	return err ? fault(f, err, "cannot read from which file the interface was made: %.400s",
			   why.text)
		   : 0;
}

int save_main(int argc, char **argv)
{
	struct hook_record record = { 0 };
	char interface[IFNAME_MAX + 1];
	const char *path = NULL;
	struct fault f;
	int err;

	if (argc != 2 || cli_is_option(&argv[1]))
		return cli_usage("save IFACE|CONF", argv[1]);
	err = conf_interface(argv[1], interface, &f);
	if (!err && conf_is_path(argv[1]))
		path = argv[1];
	if (!err)
		err = find_file(interface, &path, &record, &f);
	if (!err)
		err = save_running(interface, path, cli_warn, &f);
	hook_record_done(&record);
	if (err == -ECANCELED)
		return cli_fail(CLI_FAILED,
				"%s; correct the file, run `wgxdp reload %s%s`, and save again",
				f.text, fault_dashes(interface), interface);
	return err ? cli_fail(CLI_FAILED, "%s", f.text) : CLI_OK;
}
