/* SPDX-License-Identifier: MIT */
#include "cli/addresses.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Returns the number of bits that are set in a netmask. */
static uint8_t mask_length(const uint8_t *mask, unsigned len)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < len; i++)
		bits += (unsigned)__builtin_popcount(mask[i]);
	return (uint8_t)bits;
}

/* Returns false if the entry is not an IPv4 or IPv6 address of the interface. */
static bool take(struct prefix *p, const struct ifaddrs *a, const char *interface)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)a->ifa_addr;
	const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)a->ifa_addr;

	if (!a->ifa_addr || !a->ifa_netmask || strcmp(a->ifa_name, interface) != 0)
		return false;
	*p = (struct prefix){ .family = (uint8_t)a->ifa_addr->sa_family };
	if (p->family == AF_INET) {
		memcpy(p->addr, &four->sin_addr, 4);
		four = (const struct sockaddr_in *)(const void *)a->ifa_netmask;
		p->length = mask_length((const uint8_t *)&four->sin_addr, 4);
	} else if (p->family == AF_INET6) {
		memcpy(p->addr, &six->sin6_addr, 16);
		six = (const struct sockaddr_in6 *)(const void *)a->ifa_netmask;
		p->length = mask_length(six->sin6_addr.s6_addr, 16);
	}
	return p->length;
}

/* Returns true and sets *@mtu if the interface is in this network namespace and up. */
static bool is_up(const char *interface, uint32_t *mtu)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = { 0 };
	bool up;

	if (fd < 0)
		return false;
	strncpy(r.ifr_name, interface, sizeof(r.ifr_name) - 1);
	up = ioctl(fd, SIOCGIFFLAGS, &r) == 0 && r.ifr_flags & IFF_UP &&
	     ioctl(fd, SIOCGIFMTU, &r) == 0;
	if (up)
		*mtu = (uint32_t)r.ifr_mtu;
	close(fd);
	return up;
}

int addresses_take(struct conf *conf, const char *interface)
{
	struct ifaddrs *all;
	struct prefix *list;
	uint32_t mtu, count = 0, size = 0;

	if (!is_up(interface, &mtu))
		return 0;
	if (getifaddrs(&all))
		return -errno;
	for (const struct ifaddrs *a = all; a; a = a->ifa_next)
		size++;
	list = calloc(size + 1, sizeof(*list));
	if (!list) {
		freeifaddrs(all);
		return -ENOMEM;
	}
	for (const struct ifaddrs *a = all; a; a = a->ifa_next)
		count += take(&list[count], a, interface);
	freeifaddrs(all);
	free(conf->addresses);
	conf->addresses = list;
	conf->address_count = count;
	if (conf->mtu)
		conf->mtu = mtu;
	return 0;
}
