/* SPDX-License-Identifier: MIT */
#include "conf/valuetext.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <strings.h>

#include "wgxdp/limits.h"

#define DOMAIN_MAX 254 /* bytes, including the final dot */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

bool valuetext_number(const char *text, unsigned base, uint32_t max, uint32_t *out)
{
	uint64_t value = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		unsigned d = (unsigned)digit(*text);

		if (d >= base)
			return false;
		value = value * base + d;
		if (value > max)
			return false;
	}
	*out = (uint32_t)value;
	return true;
}

bool valuetext_number_0x(const char *text, uint32_t max, uint32_t *out)
{
	if (strncasecmp(text, "0x", 2) == 0)
		return valuetext_number(text + 2, 16, max, out);
	return (*text != '0' || !text[1]) && valuetext_number(text, 10, max, out);
}

const char *valuetext_prefix(const char *text, struct prefix *out)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	struct prefix p = { .family = memchr(text, ':', len) ? AF_INET6 : AF_INET };
	uint32_t bits = p.family == AF_INET ? 32 : 128;
	char address[INET6_ADDRSTRLEN];

	if (!len)
		return "an address is missing";
	if (len >= sizeof(address))
		return "the address is too long";
	memcpy(address, text, len);
	address[len] = '\0';
	if (inet_pton(p.family, address, p.addr) != 1)
		return "this is not an IPv4 or IPv6 address";
	if (slash && !valuetext_number(slash + 1, 10, bits, &bits))
		return p.family == AF_INET ? "after the '/' there must be a number from 0 to 32"
					   : "after the '/' there must be a number from 0 to 128";
	p.length = (uint8_t)bits;
	*out = p;
	return NULL;
}

/* Converts a netmask such as 255.255.255.0 to a prefix length. Returns false if @text is not a
 * netmask. */
static bool read_netmask(const char *text, uint8_t *length)
{
	struct in_addr mask;
	uint32_t ones;

	if (inet_pton(AF_INET, text, &mask) != 1)
		return false;
	ones = ntohl(mask.s_addr);
	if (~ones & (~ones + 1)) /* a 1 bit follows a 0 bit */
		return false;
	*length = (uint8_t)__builtin_popcount(ones);
	return true;
}

const char *valuetext_interface_address(const char *text, struct prefix *out)
{
	const char *slash = strchr(text, '/');
	char address[INET_ADDRSTRLEN];
	uint8_t length;

	if (slash && (size_t)(slash - text) < sizeof(address) && read_netmask(slash + 1, &length)) {
		memcpy(address, text, (size_t)(slash - text));
		address[slash - text] = '\0';
		if (!strchr(address, ':') && !valuetext_prefix(address, out)) {
			out->length = length;
			return NULL;
		}
	}
	if (slash && slash[1] == '0' && slash[2])
		return "ip(8) reads a length with a leading 0 as octal; remove the 0";
	return valuetext_prefix(text, out);
}

static const char name_characters[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

bool valuetext_is_address(const char *text)
{
	size_t len = strcspn(text, "%");
	const char *link = text[len] ? text + len + 1 : NULL;
	char address[INET6_ADDRSTRLEN];
	struct in6_addr unused;

	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	if (!link)
		return inet_pton(AF_INET, address, &unused) == 1 ||
		       inet_pton(AF_INET6, address, &unused) == 1;
	return inet_pton(AF_INET6, address, &unused) == 1 && *link && strlen(link) <= IFNAME_MAX &&
	       !link[strspn(link, name_characters)];
}

bool valuetext_is_domain(const char *text)
{
	size_t len = strlen(text);

	if (!len || len > DOMAIN_MAX || *text == '-')
		return false;
	for (; *text; text++)
		if (!strchr(name_characters, *text) && (unsigned char)*text < 0x80)
			return false;
	return true;
}

const char *valuetext_split_endpoint(char *text, char **host, char **port)
{
	char *end;

	if (*text == '[') {
		*host = text + 1;
		end = strchr(text, ']');
		if (!end)
			return "the ']' is missing";
		*end++ = '\0';
		if (*end != ':')
			return "after the ']' there must be ':' and a port";
	} else {
		*host = text;
		end = strrchr(text, ':');
		if (!end)
			return "the port is missing; write host:port";
	}
	*end++ = '\0';
	if (!**host)
		return "the host is missing; write host:port";
	if (!*end)
		return "the port is missing; write host:port";
	*port = end;
	return NULL;
}

int valuetext_resolve(struct endpoint *e, const char *host, const char *port, bool numeric)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC,
				  .ai_socktype = SOCK_DGRAM,
				  .ai_protocol = IPPROTO_UDP,
				  .ai_flags = numeric ? AI_NUMERICHOST : 0 };
	struct addrinfo *list = NULL;
	int err = getaddrinfo(host, port, &hints, &list);

	if (err)
		return err == EAI_AGAIN || err == EAI_SYSTEM || err == EAI_MEMORY ? -EAGAIN
										  : -ENOENT;
	err = -ENOENT;
	for (const struct addrinfo *a = list; a && err; a = a->ai_next)
		if (endpoint_from_sockaddr(e, a->ai_addr))
			err = 0;
	freeaddrinfo(list);
	return err;
}
