/* SPDX-License-Identifier: MIT */
#include "host/valid_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/netlink_rule.h"
#include "util/file.h"

#define PATH "/proc/sys/net/ipv4/conf/all/src_valid_mark"

bool valid_mark_is_set(void)
{
	return file_switched_on(PATH, true);
}

static int write_value(char value)
{
	int fd = open(PATH, O_WRONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = file_write(fd, &value, 1);
	close(fd);
	return err;
}

int valid_mark_set(void)
{
	return write_value('1');
}

int valid_mark_unset(struct netlink *nl)
{
	struct netlink_rule *list = NULL;
	bool needed = false;
	size_t count = 0;
	int err = netlink_rules(nl, AF_INET, &list, &count);

	if (err)
		return err;
	for (size_t i = 0; i < count; i++)
		needed |= list[i].invert && list[i].fwmark;
	free(list);
	return !needed && valid_mark_is_set() ? write_value('0') : 0;
}
