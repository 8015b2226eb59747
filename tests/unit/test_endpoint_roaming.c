/* SPDX-License-Identifier: MIT */
/* test_endpoint_roaming.c - what becomes the endpoint if the config gives a DNS name for a peer,
 * and the peer roams. */
#include "names_pair.h"

/* A peer that roamed keeps its new endpoint as long as DNS still returns the old address. */
static void roamed(void **state)
{
	struct fixture *f = begin("192.0.2.2");
	struct endpoint elsewhere = at("198.51.100.7", 4500);

	(void)state;
	answer(f, 5, "192.0.2.2", NULL, NULL);
	heard(f);
	device_roamed(&f->t.a->device, f->t.ab, &elsewhere);
	for (unsigned i = 0; i < 20; i++) {
		pass(f, 5);
		answer(f, 5, "192.0.2.2", NULL, NULL);
		assert_at(f, "198.51.100.7");
	}
	/* DNS has changed, but a later packet came from the roamed endpoint: the packet wins. */
	heard(f);
	pass(f, 5);
	answer(f, 5, "192.0.2.3", NULL, NULL);
	pass(f, 1);
	heard(f);
	pass(f, 4);
	for (unsigned i = 0; i < 20; i++) {
		answer(f, 5, "192.0.2.3", NULL, NULL);
		pass(f, 5);
		assert_at(f, "198.51.100.7");
	}
	/* DNS changes after the peer was last heard: DNS wins. */
	answer(f, 5, "192.0.2.4", NULL, NULL);
	assert_at(f, "192.0.2.4");
	end(f);
}

/* The peer roamed and is unreachable at its new endpoint. The address of the last DNS answer
 * becomes the endpoint again at once, and a new lookup begins. Lookups are at least 15 s apart. */
static void roamed_and_lost(void **state)
{
	struct fixture *f = begin("192.0.2.2");
	struct endpoint elsewhere = at("198.51.100.7", 4500);

	(void)state;
	answer(f, 3600, "192.0.2.2", NULL, NULL);
	heard(f);
	device_roamed(&f->t.a->device, f->t.ab, &elsewhere);
	pass(f, 100);
	assert_int_equal(f->lookups, 1);
	endpoint_names_unanswered(&f->names, f->t.ab, f->t.w->now_ns);
	assert_at(f, "198.51.100.7");
	/* The next call of endpoint_names_run() restores the address of the DNS answer and begins a
	 * lookup. */
	pass(f, 0.1);
	assert_at(f, "192.0.2.2");
	assert_int_equal(f->lookups, 2);
	answer(f, 3600, "192.0.2.2", NULL, NULL);
	for (unsigned i = 0; i < 12; i++) {
		endpoint_names_unanswered(&f->names, f->t.ab, f->t.w->now_ns);
		pass(f, 5);
		if (f->asked)
			answer(f, 3600, "192.0.2.2", NULL, NULL);
	}
	assert_in_range(f->lookups, 5, 6);
	end(f);
}

static uint16_t port_of(const struct fixture *f)
{
	return ntohs(f->t.ab->endpoint.remote.v4.sin_port);
}

/* The config gives the same name with another port. The next answer of DNS sets the new port,
 * although the address is the same and packets still arrive from the peer. */
static void port_changed(void **state)
{
	struct fixture *f = begin("192.0.2.2");
	struct endpoint before = at("192.0.2.2", 443);

	(void)state;
	answer(f, 3600, "192.0.2.2", NULL, NULL);
	device_peer_set_endpoint(&f->t.a->device, f->t.ab, &before);
	endpoint_names_forget(&f->names, f->t.ab);
	heard(f);
	assert_int_equal(
		endpoint_names_set(&f->names, f->t.ab, "vpn.test", PORT, NULL, f->t.w->now_ns), 0);
	pass(f, 0.1);
	assert_int_equal(port_of(f), 443);
	answer(f, 3600, "192.0.2.9", "192.0.2.2", NULL);
	assert_at(f, "192.0.2.2");
	assert_int_equal(port_of(f), PORT);
	end(f);
}

/* The peer roamed to another port of the same address. Later its NAT forgets that port, so the peer
 * answers no more handshakes. The endpoint then gets the port of the config again. */
static void port_roamed_and_lost(void **state)
{
	struct fixture *f = begin("192.0.2.2");
	struct endpoint behind_nat = at("192.0.2.2", 40000);

	(void)state;
	answer(f, 5, "192.0.2.2", NULL, NULL);
	heard(f);
	device_roamed(&f->t.a->device, f->t.ab, &behind_nat);
	for (unsigned i = 0; i < 20; i++) {
		pass(f, 5);
		answer(f, 5, "192.0.2.2", NULL, NULL);
		assert_int_equal(port_of(f), 40000);
	}
	endpoint_names_unanswered(&f->names, f->t.ab, f->t.w->now_ns);
	pass(f, 0.1);
	assert_at(f, "192.0.2.2");
	assert_int_equal(port_of(f), PORT);
	end(f);
}

/* A peer without an endpoint gets one from a message that it sends before DNS answers. The later
 * answer does not replace this endpoint. */
static void found_us(void **state)
{
	struct fixture *f = begin(NULL);
	struct endpoint elsewhere = at("198.51.100.7", 4500);

	(void)state;
	no_answer(f, -EAGAIN);
	heard(f);
	device_roamed(&f->t.a->device, f->t.ab, &elsewhere);
	pass(f, 1);
	answer(f, 5, "192.0.2.2", NULL, NULL);
	pass(f, 5);
	answer(f, 5, "192.0.2.2", NULL, NULL);
	assert_at(f, "198.51.100.7");
	end(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roamed),	cmocka_unit_test(roamed_and_lost),
		cmocka_unit_test(port_changed), cmocka_unit_test(port_roamed_and_lost),
		cmocka_unit_test(found_us),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
