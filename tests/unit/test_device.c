/* SPDX-License-Identifier: MIT */
/*
 * test_device.c - the configuration of a device, and its behaviour when an operation of its
 * environment fails. The tests use two devices on the simulated clock and network of world.h: `a`
 * at 10.0.0.1 and `b` at 10.0.0.2. The network delays each message by 1 ms.
 *
 *   test_keypairs.c     complete handshakes and the sessions that they make
 *   test_handshake.c    messages that are refused, and cookies
 *   test_peer_timers.c  retries, renewal, keepalives, many timers at once
 */
#include <errno.h>

#include "pair.h"

/* Configuration -------------------------------------------------------------------------------- */

static void roaming(void **state)
{
	struct pair t = connected();
	struct endpoint martian = world_address(0, 0);

	(void)state;
	t.a->address = world_address(200, 1234);
	node_send(t.a, t.ab);
	world_pass(t.w, 0.1);
	assert_true(endpoint_same_remote(&t.ba->endpoint, &t.a->address));
	assert_talking(&t);
	t.b->endpoint_changes = 0;
	device_roamed(&t.b->device, t.ba, &martian);
	martian = world_address(5, 5);
	martian.remote.v4.sin_addr.s_addr = htonl(0xe0000001);
	device_roamed(&t.b->device, t.ba, &martian);
	assert_int_equal(t.b->endpoint_changes, 0);
	assert_true(endpoint_same_remote(&t.ba->endpoint, &t.a->address));
	world_free(t.w);
}

static void private_key_changed(void **state)
{
	struct pair t = connected();
	struct session *old = atomic_load(&t.ab->current);
	unsigned sent;

	(void)state;
	node_new_key(t.a);
	assert_true(old->revoked);
	assert_int_equal(t.a->begun_count, 0);
	sent = t.a->sent[WIRE_DATA];
	node_send(t.a, t.ab); /* a handshake begins, although the last one began only 0.2 s ago */
	assert_int_equal(t.a->sent[WIRE_INITIATION], 2);
	assert_int_equal(t.a->sent[WIRE_DATA], sent);
	world_pass(t.w, 0.1);
	assert_int_equal(t.b->last, REASON_bad_handshake);

	device_peer_remove(&t.b->device, t.ba);
	t.ba = world_meet(t.b, t.a, false);
	world_pass(t.w, 6);
	assert_int_equal(t.b->received_data, 2);
	assert_talking(&t);

	sent = initiations(&t); /* the same key again changes nothing */
	device_set_private_key(&t.a->device, t.a->private, t.w->now_ns);
	assert_talking(&t);

	device_peer_set_keepalive(&t.a->device, t.ab, 100, t.w->now_ns);
	device_set_private_key(&t.a->device, (uint8_t[WIRE_KEY_LEN]){ 0 }, t.w->now_ns);
	world_pass(t.w, 10);
	assert_int_equal(initiations(&t), sent);
	device_set_private_key(&t.a->device, t.a->private, t.w->now_ns);
	world_run(t.w, t.w->now_ns + 1);
	/* A handshake begins, because a keepalive is due. */
	assert_int_equal(initiations(&t), sent + 1);
	world_free(t.w);
}

static void own_key(void **state)
{
	struct pair t = connected();
	struct peer *p = NULL;

	(void)state;
	assert_int_equal(device_peer_add(&t.a->device, t.a->device.identity.public, &p),
			 -EADDRINUSE);
	assert_null(p);
	/* This is the key of peer b, so the device removes that peer. */
	device_set_private_key(&t.a->device, t.b->private, t.w->now_ns);
	assert_int_equal(t.a->device.peer_count, 0);
	assert_null(device_find(&t.a->device, t.b->device.identity.public));
	world_free(t.w);
}

static void psk_changed(void **state)
{
	struct pair t = connected();
	uint8_t psk[WIRE_KEY_LEN] = { 1, 2, 3 };

	(void)state;
	device_peer_set_psk(&t.a->device, t.ab, psk);
	assert_talking(&t);
	chatter(&t, t.a, 3);
	device_peer_set_psk(&t.b->device, t.ba, psk);
	assert_talking(&t);
	chatter(&t, t.a, 125);
	assert_int_equal(initiations(&t), 2);
	assert_talking(&t);

	psk[0] = 9; /* only `a` has the new key, so the next handshake fails */
	device_peer_set_psk(&t.a->device, t.ab, psk);
	device_zero_all(&t.a->device, t.w->now_ns);
	node_send(t.a, t.ab);
	world_pass(t.w, 0.1);
	assert_int_equal(t.a->last, REASON_bad_handshake);
	assert_null(atomic_load(&t.ab->current));
	device_peer_set_psk(&t.b->device, t.ba,
			    psk); /* now the other side has the key as well, so a retry succeeds */
	world_pass(t.w, 6);
	assert_talking(&t);
	world_free(t.w);
}

static void zero_all(void **state)
{
	struct pair t = connected();

	(void)state;
	device_peer_set_keepalive(&t.a->device, t.ab, 30, t.w->now_ns);
	device_zero_all(&t.a->device, t.w->now_ns);
	assert_int_equal(t.a->events[DEVICE_KEYS_WIPED], 1);
	assert_null(atomic_load(&t.ab->current));
	assert_null(t.ab->previous);
	world_run(t.w, t.w->now_ns + 1);
	assert_int_equal(t.a->sent[WIRE_INITIATION], 2); /* because a keepalive is due */
	world_pass(t.w, 1);
	assert_talking(&t);
	device_zero_all(&t.b->device, t.w->now_ns);
	node_check(t.b);
	assert_int_equal(t.b->begun_count, 0);
	assert_int_equal(t.b->sent[WIRE_INITIATION], 0); /* `b` has nothing to send */
	world_free(t.w);
}

static void peers_and_slots(void **state)
{
	enum { MANY = 1000 };
	struct world *w = world_new(1, 1);
	struct node *n = &w->nodes[0];
	struct device *d = &n->device;
	struct peer **peers = calloc(MANY, sizeof(*peers)), *p;
	uint8_t key[WIRE_KEY_LEN];
	unsigned i = 0;

	(void)state;
	assert_non_null(peers);
	for (i = 0; i < MANY; i++) {
		node_random(n, key, sizeof(key));
		assert_int_equal(device_peer_add(d, key, &peers[i]), 0);
		assert_int_equal(peers[i]->slot, i);
		assert_ptr_equal(device_find(d, key), peers[i]);
	}
	assert_int_equal(device_peer_add(d, key, &p), -EEXIST);
	for (i = 0, p = d->first; p; p = p->list_next)
		assert_ptr_equal(p, peers[i++]);
	assert_int_equal(i, MANY);
	memcpy(key, peers[500]->remote.public, sizeof(key));
	device_peer_remove(d, peers[500]);
	assert_null(device_find(d, key));
	n->peer_error = -ENOSPC; /* the map is full: nothing may change */
	assert_int_equal(device_peer_add(d, key, &p), -ENOSPC);
	assert_int_equal(d->peer_count, MANY - 1);
	n->peer_error = 0;
	assert_int_equal(device_peer_add(d, key, &p), 0);
	assert_int_equal(p->slot, 500); /* the slot is reused */
	assert_ptr_equal(d->last, p);	/* but the new peer is the last in the order */
	device_peer_set_name(d, p, "a name that is much longer than the room there is for it");
	assert_int_equal(strlen(p->name), PEER_NAME_LEN - 1);
	device_peers_clear(d);
	assert_int_equal(d->peer_count, 0);
	assert_null(d->first);
	assert_int_equal(n->peers_begun, 0);
	free(peers);
	world_free(w);
}

/* When a peer is removed, its staged packets are counted as dropped. */
static void removal_counts_what_waited(void **state)
{
	struct pair t = meet();

	(void)state;
	t.w->loss_percent = 100;
	for (unsigned i = 0; i < 7; i++)
		node_send(t.a, t.ab);
	assert_int_equal(t.ab->stage.count, 7);
	device_peer_remove(&t.a->device, t.ab);
	assert_int_equal(t.a->device.counts[REASON_no_session], 7);
	world_free(t.w);
}

static void prefixes(void **state)
{
	struct pair t = connected();
	struct prefix p = { .family = AF_INET, .length = 8, .addr = { 10 } };
	uint8_t addr[4] = { 10, 1, 2, 3 };

	(void)state;
	assert_int_equal(device_peer_allow(&t.a->device, t.ab, &p), 0);
	assert_ptr_equal(allowedips_lookup4(t.a->device.allowed, addr), t.ab);
	device_peer_disallow(&t.a->device, t.ab, &p);
	assert_null(allowedips_lookup4(t.a->device.allowed, addr));
	assert_int_equal(device_peer_allow(&t.a->device, t.ab, &p), 0);
	device_peer_remove(&t.a->device, t.ab); /* also removes its prefixes and sessions */
	assert_null(allowedips_lookup4(t.a->device.allowed, addr));
	assert_int_equal(t.a->begun_count, 0);
	world_free(t.w);
}

/* Errors of the environment -------------------------------------------------------------------- */

/* If a map is full, the receiver index cannot be published, so the initiation or response that
 * would carry it is not sent. The next try succeeds once the map has room. */
static void full_maps(void **state)
{
	struct pair t = meet();

	(void)state;
	t.a->index_error = -ENOSPC;
	node_send(t.a, t.ab);
	assert_int_equal(initiations(&t), 0);
	node_check(t.a);
	t.a->index_error = 0;
	t.b->index_error = -ENOSPC;
	world_pass(t.w, 6);
	assert_int_equal(t.a->sent[WIRE_INITIATION], 1);
	assert_int_equal(t.b->sent[WIRE_RESPONSE], 0);
	assert_int_equal(t.b->last, REASON_no_resources);
	t.b->index_error = 0;
	world_pass(t.w, 6);
	assert_int_equal(t.b->received_data, 1);
	assert_talking(&t);
	world_free(t.w);
}

/* If the session cannot be published when the response arrives, the response is ignored. */
static void full_map_at_response(void **state)
{
	struct pair t = meet();
	struct datagram response;

	(void)state;
	node_send(t.a, t.ab);
	world_pass(t.w, 0.0015);
	response = intercept(t.w, WIRE_RESPONSE);
	t.a->index_error = -ENOSPC;
	assert_int_equal(node_input(t.a, &response), REASON_no_resources);
	assert_int_equal(t.a->begun_count, 0);
	node_check(t.a);
	t.a->index_error = 0;
	world_pass(t.w, 6);
	assert_int_equal(t.b->received_data, 1);
	world_free(t.w);
}

static void unreachable_network(void **state)
{
	struct pair t = meet();

	(void)state;
	t.a->send_error = -ENETUNREACH;
	node_send(t.a, t.ab);
	world_pass(t.w, 12);
	assert_int_equal(t.ab->tx_bytes, 0); /* nothing was sent, so nothing is counted */
	assert_int_equal(t.a->events[DEVICE_HANDSHAKE_RETRY], 2);
	t.a->send_error = 0;
	world_pass(t.w, 5);
	assert_int_equal(t.b->received_data, 1);
	world_free(t.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roaming),
		cmocka_unit_test(private_key_changed),
		cmocka_unit_test(own_key),
		cmocka_unit_test(psk_changed),
		cmocka_unit_test(zero_all),
		cmocka_unit_test(peers_and_slots),
		cmocka_unit_test(removal_counts_what_waited),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(full_maps),
		cmocka_unit_test(full_map_at_response),
		cmocka_unit_test(unreachable_network),
	};

	return cmocka_run_group_tests_name("device", tests, NULL, NULL);
}
