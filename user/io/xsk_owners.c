/* SPDX-License-Identifier: MIT */
#include "io/xsk_owners.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <linux/xdp_diag.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/netlink_request.h"
#include "io/xdp_features.h"

#define OWNERS_NAMED 4 /* the most owners that an error message names */

struct queue {
	bool used;	/* the queue has an AF_XDP socket */
	uint32_t inode; /* of a socket on the queue; 0 = unknown */
	int pid;	/* a process that has this socket open; 0 = unknown */
};

struct xsk_search {
	uint32_t ifindex, begin, end;
	struct queue queues[NIC_QUEUES_MAX];
};

/* The sockets ---------------------------------------------------------------------------------- */

static struct queue *queue_of(struct xsk_search *s, uint32_t number)
{
	bool wanted = number >= s->begin && number < s->end && number < NIC_QUEUES_MAX;

	return wanted ? &s->queues[number] : NULL;
}

static void take_used(void *ctx, uint32_t number)
{
	struct queue *queue = queue_of(ctx, number);

	if (queue)
		queue->used = true;
}

static int take_socket(const struct nlmsghdr *nlh, void *ctx)
{
	const struct xdp_diag_msg *msg = mnl_nlmsg_get_payload(nlh);
	struct xsk_search *s = ctx;
	struct xdp_diag_info info;
	const struct nlattr *a;
	struct queue *queue;

	if (nlh->nlmsg_type != SOCK_DIAG_BY_FAMILY || mnl_nlmsg_get_payload_len(nlh) < sizeof(*msg))
		return 0;
	a = netlink_attr(nlh, sizeof(*msg), XDP_DIAG_INFO, sizeof(info));
	if (!a)
		return 0;
	memcpy(&info, mnl_attr_get_payload(a), sizeof(info));
	queue = queue_of(s, info.queue_id);
	if (queue && info.ifindex == s->ifindex)
		*queue = (struct queue){ .used = true, .inode = msg->xdiag_ino };
	return 0;
}

/* Lists the AF_XDP sockets of this network namespace. Returns 0 or -errno: -ENOENT if the kernel
 * has no xsk_diag. */
static int read_sockets(struct xsk_search *s)
{
	struct netlink *nl = netlink_open_sock_diag();
	struct xdp_diag_req *request;
	struct nlmsghdr *nlh;
	int err;

	if (!nl)
		return -errno;
	nlh = netlink_begin(nl, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
	request = mnl_nlmsg_put_extra_header(nlh, sizeof(*request));
	request->sdiag_family = AF_XDP;
	request->xdiag_show = XDP_SHOW_INFO;
	err = netlink_dump(nl, nlh, take_socket, s, NULL);
	netlink_close(nl);
	return err;
}

/* The processes of the sockets ----------------------------------------------------------------- */

/* Returns true if a socket was found whose process is not known yet. */
static bool is_incomplete(const struct xsk_search *s)
{
	for (uint32_t i = 0; i < NIC_QUEUES_MAX; i++)
		if (s->queues[i].inode && !s->queues[i].pid)
			return true;
	return false;
}

static void note_process(struct xsk_search *s, uint32_t inode, int pid)
{
	for (uint32_t i = 0; i < NIC_QUEUES_MAX; i++)
		if (s->queues[i].inode == inode && !s->queues[i].pid)
			s->queues[i].pid = pid;
}

/* Stores @pid for each of the sockets that the process @pid has open. */
static void look_into(struct xsk_search *s, int pid)
{
	const struct dirent *entry;
	char path[32], target[32];
	unsigned inode;
	ssize_t len;
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	fds = opendir(path);
	if (!fds)
		return;
	while ((entry = readdir(fds)) != NULL) {
		len = readlinkat(dirfd(fds), entry->d_name, target, sizeof(target) - 1);
		target[len > 0 ? len : 0] = '\0';
		if (sscanf(target, "socket:[%u]", &inode) == 1 && inode)
			note_process(s, inode, pid);
	}
	closedir(fds);
}

static void find_processes(struct xsk_search *s)
{
	DIR *proc = is_incomplete(s) ? opendir("/proc") : NULL;
	const struct dirent *entry;

	if (!proc)
		return;
	while (is_incomplete(s) && (entry = readdir(proc)) != NULL) {
		int pid = (int)strtol(entry->d_name, NULL, 10);

		if (pid > 0)
			look_into(s, pid);
	}
	closedir(proc);
}

/* Reads the name of the process @pid. A process can choose any name, so makes it printable. */
static void read_program(int pid, char program[static 16])
{
	char path[32];
	FILE *comm;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	comm = fopen(path, "re");
	if (!comm)
		return;
	if (!fgets(program, 16, comm))
		*program = '\0';
	fclose(comm);
	program[strcspn(program, "\n")] = '\0';
	fault_printable(program);
}

/* The result ----------------------------------------------------------------------------------- */

static void list_owners(const struct xsk_search *s, struct xsk_owners *out)
{
	struct xsk_owner *owner = NULL;

	for (uint32_t i = 0; i < NIC_QUEUES_MAX; i++) {
		if (!s->queues[i].used)
			continue;
		if (owner && owner->last + 1 == i && owner->pid == s->queues[i].pid) {
			owner->last = i;
			continue;
		}
		owner = &out->items[out->count++];
		*owner = (struct xsk_owner){ .first = i, .last = i, .pid = s->queues[i].pid };
		if (owner->pid)
			read_program(owner->pid, owner->program);
	}
}

void xsk_owners_read(uint32_t ifindex, uint32_t begin, uint32_t end, struct xsk_owners *out)
{
	struct xsk_search s = { .ifindex = ifindex, .begin = begin, .end = end };

	*out = (struct xsk_owners){ .count = 0 };
	(void)xdp_features_xsk_queues(ifindex, take_used, &s);
	out->known = !read_sockets(&s);
	find_processes(&s);
	list_owners(&s, out);
	/* Without xsk_diag an empty list is not reliable, because Linux 6.8 to 6.14 list the
	 * queues, but do not report whether a queue has a socket. */
	out->known |= out->count > 0;
}

const char *xsk_owner_text(const struct xsk_owner *owner, char text[static XSK_OWNER_TEXT_LEN])
{
	char queues[32], process[48] = "";

	if (owner->first == owner->last)
		snprintf(queues, sizeof(queues), "queue %u", owner->first);
	else
		snprintf(queues, sizeof(queues), "queues %u to %u", owner->first, owner->last);
	if (owner->pid)
		snprintf(process, sizeof(process), " (process %d%s%s)", owner->pid,
			 *owner->program ? ", " : "", owner->program);
	snprintf(text, XSK_OWNER_TEXT_LEN, "%s%s", queues, process);
	return text;
}

int xsk_owners_fault(const struct xsk_owners *o, const char *nic, struct fault *f)
{
	char list[OWNERS_NAMED * (XSK_OWNER_TEXT_LEN + 2)] = "", text[XSK_OWNER_TEXT_LEN];
	size_t len = 0;

	for (unsigned i = 0; i < o->count && i < OWNERS_NAMED; i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i ? ", " : "",
					xsk_owner_text(&o->items[i], text));
	return fault(f, -EBUSY,
		     "%s: other programs have AF_XDP sockets on %s%s; stop these programs, or use "
		     "--rx udp --tx udp",
		     nic, list, o->count > OWNERS_NAMED ? " and more queues" : "");
}
