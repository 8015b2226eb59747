/* SPDX-License-Identifier: MIT */
/* test_host_plan.c - plan.c, guard.c and record.c of user/host: the host settings that a config
 * requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/guard.h"
#include "host/plan.h"
#include "host/record.h"

#define KEY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
#define MARK 51820U

static struct plan plan_of(const char *interface, const char *allowed)
{
	struct conf conf = { .path = NULL };
	struct fault f = { "" };
	struct plan plan;
	char text[1024];
	int n = snprintf(text, sizeof(text), "[Interface]\n%s\n[Peer]\nPublicKey = %s\n%s\n",
			 interface, KEY, allowed);

	if (conf_parse(&conf, text, (size_t)n, "wg0.conf", NULL, NULL, &f))
		fail_msg("%s", f.text);
	assert_int_equal(plan_make(&plan, &conf, MARK), 0);
	conf_done(&conf);
	return plan;
}

/* Returns the planned routes as PREFIX@TABLE, such as "10.0.0.0/8@254 ::/0@51820". Table 254 is the
 * main table. */
static const char *routes_text(const struct plan *p)
{
	static char text[512];
	char prefix[PREFIX_TEXT_LEN];
	size_t n = 0;

	*text = '\0';
	for (size_t i = 0; i < p->route_count; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s@%u", n ? " " : "",
				      prefix_text(&p->routes[i].to, prefix), p->routes[i].table);
	return text;
}

/* Each row was compared with the commands that wg-quick(8) runs for the same file. */
static void routes(void **state)
{
	static const struct {
		const char *interface, *allowed, *routes;
		uint32_t mark;
		bool default4, default6;
	} rows[] = {
		{ "Address = 10.7.0.1/24", "AllowedIPs = 10.7.0.2/32, 10.8.0.0/16",
		  "10.8.0.0/16@254", 0, false, false },
		/* The kernel makes no route for an IPv4 address with /32, but makes one for an IPv6
		 * address with /128. */
		{ "Address = 10.7.0.1/32, fd00::1/128", "AllowedIPs = 10.7.0.1/32, fd00::1/128",
		  "10.7.0.1/32@254", 0, false, false },
		{ "Address = 10.7.0.1/24", "AllowedIPs = 10.0.0.0/8", "10.0.0.0/8@254", 0, false,
		  false },
		/* The kernel makes no route to an IPv4 network whose first byte is 0. */
		{ "Address = 10.7.0.1/0, fd00::1/0", "AllowedIPs = 10.8.0.0/16, 200.0.0.0/8",
		  "10.8.0.0/16@254 200.0.0.0/8@254", 0, false, false },
		{ "Address = 10.7.0.1/1, fd00::1/0", "AllowedIPs = 10.8.0.0/16, fd01::/64",
		  "10.8.0.0/16@254", 0, false, false },
		{ "Address = 200.7.0.1/1", "AllowedIPs = 200.8.0.0/16", "", 0, false, false },
		{ "Address = 10.7.0.1/24", "AllowedIPs = 0.0.0.0/0, ::/0",
		  "0.0.0.0/0@51820 ::/0@51820", MARK, true, true },
		{ "Address = 10.7.0.1/24", "AllowedIPs = ::/0, fd00::/8", "fd00::/8@254 ::/0@51820",
		  MARK, false, true },
		{ "Address = 10.7.0.1/24\nTable = 1234", "AllowedIPs = 10.7.0.2/32, 0.0.0.0/0",
		  "0.0.0.0/0@1234 10.7.0.2/32@1234", 0, false, false },
		{ "Address = 10.7.0.1/24\nTable = off", "AllowedIPs = 0.0.0.0/0", "", 0, false,
		  false },
		{ "Address = 10.7.0.1/24\nTable = auto", "AllowedIPs = 0.0.0.0/1, 128.0.0.0/1",
		  "0.0.0.0/1@254 128.0.0.0/1@254", 0, false, false },
		{ "", "AllowedIPs =", "", 0, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct plan p = plan_of(rows[i].interface, rows[i].allowed);
		unsigned found = 0;
		char copy[512], *word, *rest = copy;

		snprintf(copy, sizeof(copy), "%s", rows[i].routes);
		while ((word = strsep(&rest, " ")) && *word)
			found += strstr(routes_text(&p), word) != NULL;
		assert_int_equal(found, p.route_count);
		assert_int_equal(strlen(routes_text(&p)), strlen(rows[i].routes));
		assert_int_equal(p.mark, rows[i].mark);
		assert_int_equal(p.default4, rows[i].default4);
		assert_int_equal(p.default6, rows[i].default6);
		plan_done(&p);
	}
}

static void addresses_and_dns(void **state)
{
	struct plan a = plan_of("Address = 10.7.0.1/24, fd00::1/64\n"
				"DNS = 10.7.0.53, corp.example\nMTU = 1300",
				"");
	struct plan b = plan_of("DNS = corp.example", "");

	(void)state;
	assert_int_equal(a.address_count, 2);
	assert_int_equal(a.mtu, 1300);
	assert_int_equal(a.servers.count, 1);
	assert_string_equal(a.search.items[0], "corp.example");
	/* Search domains without a DNS server are ignored, as by wg-quick(8). */
	assert_int_equal(b.search.count, 0);
	assert_false(plan_same_dns(&a, &b));
	assert_true(plan_same_dns(&a, &a));
	plan_done(&a);
	plan_done(&b);
}

static char *guard_of(const char *interface, const struct plan *p, uint8_t family,
		      const struct guard_exits *exits)
{
	struct buffer b = { 0 };
	char *text;

	guard_text(&b, interface, p, family, exits);
	buffer_append(&b, "", 1);
	text = strdup(b.data + b.at);
	buffer_done(&b);
	return text;
}

static void guard(void **state)
{
	struct prefix local[] = { { AF_INET, 8, { 10 } }, { AF_INET, 24, { 192, 0, 2 } } };
	const struct guard_exits exits = {
		.list = { { .nic = "eth0",
			    .has_gateway = true,
			    .gateway = { 192, 0, 2, 254 },
			    .local = local,
			    .local_count = 2 },
			  { .nic = "ppp0" } },
		.count = 2,
	};
	const struct guard_exits none = { .count = 0 };
	struct plan p = plan_of("Address = 10.7.0.1/24, fd00::1/64", "AllowedIPs = 0.0.0.0/0");
	char *v4 = guard_of("wg0", &p, AF_INET, &exits),
	     *v6 = guard_of("a=b+", &p, AF_INET6, &none);

	(void)state;
	assert_string_equal(
		v4,
		"add table ip wgxdp-wg0\ndelete table ip wgxdp-wg0\nadd table ip wgxdp-wg0\n"
		"add chain ip wgxdp-wg0 preraw { type filter hook prerouting priority -300; }\n"
		"add chain ip wgxdp-wg0 premangle { type filter hook prerouting priority -150; }\n"
		"add chain ip wgxdp-wg0 postmangle "
		"{ type filter hook postrouting priority -150; }\n"
		"add rule ip wgxdp-wg0 preraw iifname != \"wg0\" ip daddr 10.7.0.1 fib saddr type "
		"!= local drop\n"
		"add rule ip wgxdp-wg0 postmangle meta l4proto udp mark 51820 ct mark set mark\n"
		"add rule ip wgxdp-wg0 premangle meta l4proto udp meta mark set ct mark\n"
		"add chain ip wgxdp-wg0 leak { type filter hook postrouting priority -300; }\n"
		"add rule ip wgxdp-wg0 leak meta mark != 51820 oifname \"eth0\" rt ip nexthop "
		"192.0.2.254 ip daddr != 192.0.2.254 ip daddr "
		"!= { 10.0.0.0/8, 192.0.2.0/24 } drop\n"
		"add rule ip wgxdp-wg0 leak meta mark != 51820 oifname \"ppp0\" ip daddr != "
		"{ 224.0.0.0/3 } drop\n");
	assert_non_null(strstr(v6, "add table ip6 wgxdp-a/3db/2b\n"));
	assert_non_null(strstr(v6, "ip6 daddr fd00::1 fib"));
	assert_null(strstr(v6, "leak"));
	free(v4);
	free(v6);
	plan_done(&p);
}

static void record(void **state)
{
	static const char good[] =
		"{\"netns\":7,\"src_valid_mark\":true,\"nft4\":true,\"nft6\":false,"
		"\"dns\":\"resolvconf\",\"dns_name\":\"tun.wg0\",\"rules\":[{\"family\":4,"
		"\"priority\":32765,\"table\":51820,\"fwmark\":51820,\"invert\":true,"
		"\"suppress\":-1}]}";
	static const struct {
		const char *from, *to;
	} faults[] = {
		{ "\"family\":4", "\"family\":5" },
		{ "32765", "-1" },
		{ "32765", "4294967296" },
		{ "resolvconf", "rm" },
		{ "tun.wg0", "0123456789012345678901234567890123456789012345678901234567890123" },
		{ "\"suppress\":-1", "\"suppress\":-2" },
		{ "\"netns\":7,", "" },
		{ "[{", "{" },
		{ "true", "1" },
	};
	struct record r, before;
	struct rules other;
	char bad[1024];

	(void)state;
	assert_int_equal(record_parse(&r, good, strlen(good)), 0);
	assert_int_equal(r.netns, 7);
	assert_true(r.nft4 && !r.nft6 && r.src_valid_mark);
	assert_int_equal(r.dns.tool, DNS_RESOLVCONF);
	assert_string_equal(r.dns.name, "tun.wg0");
	assert_int_equal(r.rules.count, 1);
	assert_int_equal(r.rules.list[0].fwmark, 51820);
	assert_int_equal(record_mark(&r), 51820);
	before = r;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		const char *at = strstr(good, faults[i].from);

		snprintf(bad, sizeof(bad), "%.*s%s%s", (int)(at - good), good, faults[i].to,
			 at + strlen(faults[i].from));
		assert_int_equal(record_parse(&r, bad, strlen(bad)), -EINVAL);
		assert_memory_equal(&r, &before, sizeof(r));
	}
	for (size_t n = 0; n < strlen(good); n++)
		assert_int_equal(record_parse(&r, good, n), -EINVAL);
	other = r.rules;
	rules_add_ours(&r.rules, &other);
	assert_int_equal(r.rules.count, 1); /* the list already has this rule */
	other.list[0].fwmark++;
	rules_add_ours(&r.rules, &other);
	assert_int_equal(r.rules.count, 2);
	assert_int_equal(record_mark(&r), 0); /* ambiguous: two marks */
	other.ours[0] = false;
	other.list[0].fwmark++;
	rules_add_ours(&r.rules, &other);
	assert_int_equal(r.rules.count, 2);
	r.rules.count = 1;
	r.nft4 = false;
	/* Without the nftables tables, which drop unmarked packets, no packet needs a mark. */
	assert_int_equal(record_mark(&r), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routes),
		cmocka_unit_test(addresses_and_dns),
		cmocka_unit_test(guard),
		cmocka_unit_test(record),
	};

	return cmocka_run_group_tests_name("host_plan", tests, NULL, NULL);
}
