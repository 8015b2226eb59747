/* SPDX-License-Identifier: MIT */
#include "host/endpoint_check.h"

#include <stdio.h>
#include <string.h>

#include "conf/conf.h"
#include "io/netlink.h"

#define SENTENCE_LEN (ENDPOINT_TEXT_LEN + 256)

/* Returns true if @source, which has the family of @e, is an address of the tunnel. */
static bool is_own_address(const struct conf *conf, const struct endpoint *e,
			   const uint8_t source[static 16])
{
	unsigned len = e->remote.sa.sa_family == AF_INET ? 4 : 16;

	for (uint32_t i = 0; i < conf->address_count; i++)
		if (conf->addresses[i].family == e->remote.sa.sa_family &&
		    !memcmp(conf->addresses[i].addr, source, len))
			return true;
	return false;
}

/* Writes a warning about the endpoint, or "" if the endpoint has no problem. */
static void check(struct netlink *nl, uint32_t tunnel, const struct netlink_flow *flow,
		  const struct conf *conf, const struct endpoint *e,
		  char sentence[static SENTENCE_LEN])
{
	char text[ENDPOINT_TEXT_LEN];
	struct netlink_route route;

	*sentence = '\0';
	endpoint_text(e, text);
	if (netlink_route(nl, e, flow, &route))
		snprintf(sentence, SENTENCE_LEN, "no route to endpoint %s yet", text);
	else if (route.ifindex == tunnel && !route.local)
		snprintf(sentence, SENTENCE_LEN,
			 "the route to endpoint %s leads into the tunnel itself, because "
			 "AllowedIPs contain it, so no packet can reach the peer; add a route to "
			 "the endpoint through the NIC, or set FwMark and add a rule for that mark",
			 text);
	else if (route.has_source && is_own_address(conf, e, route.source))
		snprintf(sentence, SENTENCE_LEN,
			 "packets to endpoint %s would carry the tunnel's own address as their "
			 "source, so answers may not come back; give the NIC an address, or "
			 "give its route a `src`",
			 text);
}

void endpoint_check(struct netlink *nl, uint32_t tunnel, uint32_t fwmark, const struct conf *conf,
		    const atomic_bool *stop, void (*warn)(void *ctx, const char *sentence),
		    void *ctx)
{
	const struct netlink_flow flow = { fwmark, htons(conf->listen_port) };
	char sentence[SENTENCE_LEN];

	for (uint32_t i = 0;
	     i < conf->peer_count && !atomic_load_explicit(stop, memory_order_relaxed); i++) {
		const struct conf_peer *peer = &conf->peers[i];

		if (peer->own || peer->endpoint.remote.sa.sa_family == AF_UNSPEC)
			continue;
		check(nl, tunnel, &flow, conf, &peer->endpoint, sentence);
		if (*sentence)
			warn(ctx, sentence);
	}
}
