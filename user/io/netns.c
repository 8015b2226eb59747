/* SPDX-License-Identifier: MIT */
#include "io/netns.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>

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
