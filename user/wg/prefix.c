/* SPDX-License-Identifier: MIT */
#include "wg/prefix.h"

#include <arpa/inet.h>
#include <stdio.h>

bool prefix_valid(const struct prefix *p)
{
	return (p->family == AF_INET && p->length <= 32) ||
	       (p->family == AF_INET6 && p->length <= 128);
}

bool prefix_mask(struct prefix *p)
{
	unsigned bytes = p->family == AF_INET ? 4 : 16;
	bool any = false;

	for (unsigned i = p->length / 8; i < bytes; i++) {
		uint8_t keep = i == p->length / 8 ? (uint8_t)(0xff00 >> p->length % 8) : 0;

		any |= p->addr[i] & (uint8_t)~keep;
		p->addr[i] &= keep;
	}
	return any;
}

char *prefix_text(const struct prefix *p, char text[static PREFIX_TEXT_LEN])
{
	char address[INET6_ADDRSTRLEN];

	inet_ntop(p->family, p->addr, address, sizeof(address));
	snprintf(text, PREFIX_TEXT_LEN, "%s/%u", address, p->length);
	return text;
}
