/* SPDX-License-Identifier: MIT */
/*
 * encap.c - outer Ethernet, IP and UDP headers, and their checksums.
 *
 * encap_set_xsk_ok() writes a template of the headers and its two partial sums. encap_write()
 * copies the template and adds the fields that differ from packet to packet:
 *
 *   template   Ethernet | IP: addresses, TTL               | UDP: ports          ip_sum, udp_sum
 *   per packet            class, total length, ID (IPv4)     length, checksum
 *
 * Sums are one's complement sums (RFC 1071) over 16-bit words as they are in memory. The words of a
 * header are in network order, so an integer in host order is swapped before it is added.
 */
#include "io/encap.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <stdlib.h>
#include <string.h>

#include "io/inner.h"

/* Sums --------------------------------------------------------------------------------------- */

static uint64_t add(uint64_t a, uint64_t b)
{
	a += b;
	return a + (a < b);
}

static uint64_t read_word(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

/* Adds the @n bytes at @p to @sum, in two independent chains, so that the CPU need not wait for
 * each carry. */
static uint64_t sum_bytes(const uint8_t *p, size_t n, uint64_t sum)
{
	uint64_t other = 0, tail = 0;

	for (; n >= 32; n -= 32, p += 32) {
		sum = add(sum, read_word(p));
		other = add(other, read_word(p + 8));
		sum = add(sum, read_word(p + 16));
		other = add(other, read_word(p + 24));
	}
	for (; n >= 8; n -= 8, p += 8)
		sum = add(sum, read_word(p));
	memcpy(&tail, p, n); /* an odd last byte is followed by a zero byte */
	return add(add(sum, other), tail);
}

static uint16_t fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* Returns the sum over the addresses and the protocol of the pseudo header. The caller adds the UDP
 * length. */
static uint64_t sum_pseudo(const uint8_t *addresses, size_t n)
{
	return sum_bytes(addresses, n, htons(IPPROTO_UDP));
}

/* Encapsulation ------------------------------------------------------------------------------ */

struct encap *encap_new(const struct endpoint *e, uint16_t mtu)
{
	struct encap *new = calloc(1, sizeof(*new));

	if (new) {
		new->endpoint = *e;
		new->mtu = mtu;
	}
	return new;
}

bool encap_next_same(const struct encap_next *a, const struct encap_next *b)
{
	return a->ifindex == b->ifindex && a->family == b->family &&
	       !memcmp(a->addr, b->addr, sizeof(a->addr));
}

bool encap_same(const struct encap *a, const struct encap *b)
{
	if (!endpoint_same(&a->endpoint, &b->endpoint) ||
	    !endpoint_same(&a->requested, &b->requested))
		return false;
	if (a->roam_count != b->roam_count || a->mtu != b->mtu || a->via_tunnel != b->via_tunnel ||
	    a->source_port != b->source_port || a->why != b->why || a->xsk_ok != b->xsk_ok)
		return false;
	/* Three members need no comparison: @ip_sum and @udp_sum depend only on @header, and if
	 * @translated differs, @why differs, too. */
	return encap_next_same(&a->next, &b->next) && a->ifindex == b->ifindex &&
	       a->header_len == b->header_len && !memcmp(a->header, b->header, sizeof(a->header));
}

static void put_ipv4(struct encap *e, uint8_t *l3, const struct encap_hop *hop)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = sizeof(ip) / 4,
		.ttl = hop->ttl,
		.protocol = IPPROTO_UDP,
		.saddr = e->endpoint.local.v4.s_addr,
		.daddr = e->endpoint.remote.v4.sin_addr.s_addr,
	};

	memcpy(l3, &ip, sizeof(ip));
	e->ip_sum = fold(sum_bytes(l3, sizeof(ip), 0));
	e->udp_sum = fold(sum_pseudo(inner4_source(l3), 8));
}

static void put_ipv6(struct encap *e, uint8_t *l3, const struct encap_hop *hop)
{
	struct ipv6hdr ip = {
		.version = 6,
		.nexthdr = IPPROTO_UDP,
		.hop_limit = hop->ttl,
		.saddr = e->endpoint.local.v6,
		.daddr = e->endpoint.remote.v6.sin6_addr,
	};

	memcpy(l3, &ip, sizeof(ip));
	e->ip_sum = 0;
	e->udp_sum = fold(sum_pseudo(inner6_source(l3), 32));
}

void encap_set_xsk_ok(struct encap *e, const struct encap_hop *hop)
{
	bool v4 = e->endpoint.remote.sa.sa_family == AF_INET;
	struct ethhdr eth = { .h_proto = htons(v4 ? ETH_P_IP : ETH_P_IPV6) };
	struct udphdr udp = {
		.source = hop->source_port,
		.dest = v4 ? e->endpoint.remote.v4.sin_port : e->endpoint.remote.v6.sin6_port,
	};
	uint8_t *l3 = e->header + sizeof(eth);

	memcpy(eth.h_source, hop->source_mac, sizeof(eth.h_source));
	memcpy(eth.h_dest, hop->next_hop_mac, sizeof(eth.h_dest));
	memcpy(e->header, &eth, sizeof(eth));
	e->header_len = (uint8_t)(sizeof(eth) + encap_overhead(e));
	if (v4)
		put_ipv4(e, l3, hop);
	else
		put_ipv6(e, l3, hop);
	memcpy(e->header + e->header_len - sizeof(udp), &udp, sizeof(udp));
	e->udp_sum = fold((uint64_t)e->udp_sum + udp.source + udp.dest);
	e->ifindex = hop->ifindex;
	e->xsk_ok = true;
}

void encap_write(const struct encap *e, uint8_t *payload, uint32_t len, uint16_t id, uint8_t tclass)
{
	uint8_t *header = payload - e->header_len;
	uint8_t *l3 = header + sizeof(struct ethhdr);
	uint8_t *udp = payload - sizeof(struct udphdr);
	__be16 udp_len = htons((uint16_t)(sizeof(struct udphdr) + len));
	__be16 total_len, ip_id = htons(id);
	uint16_t check;

	memcpy(header, e->header, e->header_len);
	if (e->endpoint.remote.sa.sa_family == AF_INET) {
		total_len = htons((uint16_t)(sizeof(struct iphdr) + sizeof(struct udphdr) + len));
		check = (uint16_t)~fold((uint64_t)e->ip_sum + htons(tclass) + total_len + ip_id);
		l3[offsetof(struct iphdr, tos)] = tclass;
		memcpy(l3 + offsetof(struct iphdr, tot_len), &total_len, sizeof(total_len));
		memcpy(l3 + offsetof(struct iphdr, id), &ip_id, sizeof(ip_id));
		memcpy(l3 + offsetof(struct iphdr, check), &check, sizeof(check));
	} else {
		l3[0] |= tclass >> 4; /* between the version and the flow label, which is 0 */
		l3[1] = (uint8_t)(tclass << 4);
		memcpy(l3 + offsetof(struct ipv6hdr, payload_len), &udp_len, sizeof(udp_len));
	}

	/* The length is added twice, because it is in the pseudo header and in the UDP header. */
	check = (uint16_t)~fold(sum_bytes(payload, len, (uint64_t)e->udp_sum + udp_len + udp_len));
	if (!check)
		check = 0xffff; /* zero means "no checksum", RFC 768 */
	memcpy(udp + offsetof(struct udphdr, len), &udp_len, sizeof(udp_len));
	memcpy(udp + offsetof(struct udphdr, check), &check, sizeof(check));
}

/* Received datagrams -------------------------------------------------------------------------- */

bool encap_checksum_fits(const uint8_t *l3, const uint8_t *udp)
{
	bool v4 = inner_version(l3) == 4;
	uint64_t pseudo;
	struct udphdr u;

	memcpy(&u, udp, sizeof(u));
	if (ntohs(u.len) < sizeof(u))
		return false;
	if (v4 && fold(sum_bytes(l3, inner4_header_len(l3), 0)) != 0xffff)
		return false;
	if (!u.check)
		return v4; /* over IPv6 the checksum is mandatory, RFC 8200 8.1 */
	pseudo = v4 ? sum_pseudo(inner4_source(l3), 8) : sum_pseudo(inner6_source(l3), 32);
	pseudo = add(pseudo, u.len);
	return u.check == fold(pseudo) || fold(sum_bytes(udp, ntohs(u.len), pseudo)) == 0xffff;
}
