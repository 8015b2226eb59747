/* SPDX-License-Identifier: MIT */
/*
 * A virtual machine that was restored from a snapshot has keys and counters that it used before the
 * restore, and a clone has keys and counters that another machine uses, too. The hypervisor gives a
 * restored or cloned machine a new generation ID. Since Linux 5.18, the kernel's vmgenid driver
 * announces a new ID with a line in the kernel's log. Linux 6.8 also sent a uevent with
 * NEW_VMGENID=1. Linux 6.8.8 and 6.9 removed this uevent, but the kernels of some providers still
 * have it. tests/vm/snapshot.sh tests both reports with real snapshots.
 *
 *   kernel ─┬▶ uevent socket ─┬▶ this thread ─┬▶ suspend.copies: workers seal nothing from here on
 *           └▶ /dev/kmsg ─────┘               └▶ eventfd ─▶ control thread: wipes all keys
 *
 * A separate thread listens, because the control thread may be busy with a config of thousands of
 * peers, or in the BPF verifier.
 *
 * A uevent is trusted only if its sender is port 0, the kernel, with uid 0. A process can send only
 * from ports other than 0. A process with CAP_SYS_ADMIN over the network namespace can make the
 * kernel send an event, but this causes only new handshakes. Synthetic events, which are made by
 * writing to a file in sysfs, have other keys (SYNTH_ARG_...). In the log, only lines of facility
 * "kernel" are trusted, because lines that processes write to /dev/kmsg have another facility.
 *
 * Messages can be lost: the log overwrites old records, and the uevent socket may overflow. A lost
 * message may have announced a new ID, so it counts as a report if the machine has a device with a
 * generation ID. Other hosts can flood the log through a firewall's log rule, so lost messages
 * count at most once in LOST_GAP_NS. Messages that are lost within this time count when the time is
 * over.
 */
#include "daemon/vmgenid.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "util/log.h"
#include "wgxdp/limits.h"

#define UEVENT_GROUP 1 /* the multicast group of the kernel; group 2 is udev's */
#define UEVENT_MAX 8192
#define BACKLOG_BYTES (1 << 20)
#define RECORD_MAX 8192
#define LOST_GAP_NS (2 * REKEY_TIMEOUT_S * NS_PER_S)

struct vmgenid {
	struct loop *loop;
	struct suspend *suspend;
	int uevents, log;
	int heard, stop;  /* eventfds: a new ID was reported; the thread must end */
	uint64_t lost_ns; /* when lost messages last counted as a report; 0 = never */
	bool lost_later;  /* more messages were lost since then */
	pthread_t thread;
	bool running;
};

/* Returns true if a uevent announces a new ID. @text is "change@/devices/...", followed by strings
 * "KEY=value". Each string ends with a NUL. */
static bool says_copy(const char *text, size_t len)
{
	static const char mark[] = "NEW_VMGENID=1";

	while (len) {
		size_t field = strnlen(text, len);

		if (field == sizeof(mark) - 1 && !memcmp(text, mark, field))
			return true;
		if (field == len)
			break;
		text += field + 1;
		len -= field + 1;
	}
	return false;
}

static bool from_kernel(struct msghdr *m)
{
	const struct sockaddr_nl *from = m->msg_name;
	const struct cmsghdr *c = CMSG_FIRSTHDR(m);
	struct ucred sender;

	if (m->msg_namelen != sizeof(*from) || from->nl_pid != 0)
		return false;
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS ||
	    c->cmsg_len != CMSG_LEN(sizeof(sender)))
		return false;
	memcpy(&sender, CMSG_DATA(c), sizeof(sender));
	return sender.uid == 0;
}

/* Returns true if a record of /dev/kmsg announces a new ID. @record looks like
 * "5,1234,987654321,-;text"; the first number is facility and level. */
static bool logs_copy(const char *record, size_t len)
{
	static const char mark[] = ";random: crng reseeded due to virtual machine fork\n";
	const char *text = memchr(record, ';', len);
	char *end;

	if (!text || (size_t)(record + len - text) < sizeof(mark) - 1 ||
	    memcmp(text, mark, sizeof(mark) - 1) != 0)
		return false;
	return LOG_FAC(strtoul(record, &end, 10)) == LOG_KERN >> 3 && *end == ',';
}

/* Returns true if the driver with the sysfs directory @driver has a device: each symbolic link in
 * this directory, except "module", is a device. */
static bool has_device(const char *driver)
{
	DIR *dir = opendir(driver);
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir)))
		found = entry->d_type == DT_LNK && strcmp(entry->d_name, "module") != 0;
	if (dir)
		closedir(dir);
	return found;
}

/* Returns false if the kernel cannot report a new ID, because the machine has no vmgenid device.
 * The device is on the ACPI bus or, since Linux 6.10, on the platform bus. Without sysfs, returns
 * true, because there may be such a device. */
static bool may_report(void)
{
	return access("/sys/bus", F_OK) || has_device("/sys/bus/acpi/drivers/vmgenid") ||
	       has_device("/sys/bus/platform/drivers/vmgenid");
}

/* Returns true if lost messages count as a report at @now_ns. Within LOST_GAP_NS after the last
 * such report, sets lost_later instead. */
static bool lost_counts(struct vmgenid *v, uint64_t now_ns)
{
	v->lost_later = v->lost_ns && now_ns - v->lost_ns < LOST_GAP_NS;
	if (v->lost_later)
		return false;
	v->lost_ns = now_ns;
	return true;
}

static bool lost_report(struct vmgenid *v)
{
	return lost_counts(v, loop_now_ns()) && may_report();
}

/* Reads one record of the log. Returns true if it announces a new ID, or if lost records may have
 * announced one. */
static bool hear_log(struct vmgenid *v)
{
	char record[RECORD_MAX + 1];
	ssize_t n = read(v->log, record, RECORD_MAX);

	if (n < 0)
		return errno == EPIPE && lost_report(v);
	record[n] = '\0';
	return logs_copy(record, (size_t)n);
}

/* Reads one uevent. Returns true if it announces a new ID, or if a lost message may have announced
 * one. */
static bool hear_uevent(struct vmgenid *v)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	char text[UEVENT_MAX];
	struct sockaddr_nl from;
	struct iovec iov = { text, sizeof(text) };
	struct msghdr m = { .msg_name = &from,
			    .msg_namelen = sizeof(from),
			    .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(v->uevents, &m, MSG_DONTWAIT);

	if (n < 0)
		return errno == ENOBUFS && lost_report(v);
	return from_kernel(&m) && says_copy(text, (size_t)n);
}

static void *listen_on(void *arg)
{
	struct vmgenid *v = arg;
	struct pollfd fds[] = { { .fd = v->stop, .events = POLLIN },
				{ .fd = v->uevents, .events = POLLIN },
				{ .fd = v->log, .events = POLLIN } };

	while (!fds[0].revents) {
		if (poll(fds, 3, v->lost_later ? (int)(LOST_GAP_NS / NS_PER_MS) : -1) < 0)
			continue;
		if ((fds[1].revents && hear_uevent(v)) || (fds[2].revents && hear_log(v)) ||
		    (v->lost_later && lost_report(v))) {
			suspend_copied(v->suspend);
			eventfd_write(v->heard, 1);
		}
	}
	return NULL;
}

/* Only wakes the loop; the loop's on_wake function does the work. */
static void on_heard(void *ctx, int fd, uint32_t events)
{
	eventfd_t count;

	(void)ctx;
	(void)events;
	eventfd_read(fd, &count);
}

static int open_uevents(void)
{
	struct sockaddr_nl group = { .nl_family = AF_NETLINK, .nl_groups = UEVENT_GROUP };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
	int one = 1, backlog = BACKLOG_BYTES, err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &backlog, sizeof(backlog));
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) ||
	    bind(fd, (const struct sockaddr *)&group, sizeof(group))) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/* Opens the kernel's log at its end. Returns -1 if the log cannot be read. */
static int open_log(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	else
		log_info("cannot read /dev/kmsg: %s; if this virtual machine is restored or "
			 "cloned, wgxdp may go on with keys that were used before",
			 strerror(errno));
	return fd;
}

static int start(struct vmgenid *v)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	/* The new thread inherits this mask, which leaves all signals to the control thread. */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&v->thread, NULL, listen_on, v);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		return -err;
	v->running = true;
	pthread_setname_np(v->thread, "wgxdp/vmgenid");
	return 0;
}

int vmgenid_watch(struct vmgenid **out, struct loop *loop, struct suspend *suspend)
{
	struct vmgenid *v = calloc(1, sizeof(*v));
	int err;

	if (!v)
		return -ENOMEM;
	v->loop = loop;
	v->suspend = suspend;
	v->heard = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	v->stop = v->heard < 0 ? -1 : eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	err = v->stop < 0 ? -errno : 0;
	v->uevents = open_uevents();
	v->log = open_log();
	if (!err && v->uevents < 0)
		err = v->uevents;
	if (!err)
		err = loop_add(loop, v->heard, EPOLLIN, on_heard, NULL);
	if (!err)
		err = start(v);
	if (err)
		vmgenid_unwatch(v);
	else
		*out = v;
	return err;
}

void vmgenid_unwatch(struct vmgenid *v)
{
	if (!v)
		return;
	if (v->running) {
		eventfd_write(v->stop, 1);
		pthread_join(v->thread, NULL);
	}
	if (v->heard >= 0) {
		loop_delete(v->loop, v->heard);
		close(v->heard);
	}
	if (v->stop >= 0)
		close(v->stop);
	if (v->uevents >= 0)
		close(v->uevents);
	if (v->log >= 0)
		close(v->log);
	free(v);
}
