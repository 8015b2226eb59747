/* SPDX-License-Identifier: MIT */
/*
 * test_suspend.c - the host is suspended or cloned, or the daemon is stopped (SIGSTOP), at the
 * worst moment: between the clock check and sealing. The test runs a worker's send chain with a
 * socket pair as TUN, simulated clocks, and a transport whose alloc() calls moment(), which
 * simulates the event.
 */
#include "world.h"

#include <time.h>

static int fake_clock(clockid_t id, struct timespec *ts);
#define clock_gettime fake_clock
#include "path/egress.c"  /* NOLINT(bugprone-suspicious-include) */
#include "path/seal.c"	  /* NOLINT(bugprone-suspicious-include) */
#include "path/suspend.c" /* NOLINT(bugprone-suspicious-include) */
#include "path/worker.c"  /* NOLINT(bugprone-suspicious-include) */
#undef clock_gettime

#include "pair.h"

static uint64_t boot_ns, slept_ns;
static uint64_t wait_ns; /* for how long the thread is delayed after each reading of a clock */

static int fake_clock(clockid_t id, struct timespec *ts)
{
	uint64_t now = boot_ns - (id == CLOCK_MONOTONIC ? slept_ns : 0);

	*ts = (struct timespec){ .tv_sec = (time_t)(now / NS_PER_S),
				 .tv_nsec = (long)(now % NS_PER_S) };
	boot_ns += wait_ns;
	return 0;
}

/* The machine under test ----------------------------------------------------------------------- */

struct machine {
	struct pair t;
	struct suspend suspend;
	struct worker *w;
	struct handoff *handoff;
	struct qsbr *qsbr;
	struct encap *encap;
	struct tun tun;
	int host; /* the test's end of the socket pair that replaces the TUN device */
	struct transport out;
	uint8_t frame[2048];
	unsigned left; /* number of messages that were sent */
	void (*moment)(struct machine *m);
};

static struct machine *machine;

static unsigned out_recv(struct transport *transport, struct rx_frame *frames, unsigned max)
{
	(void)transport;
	(void)frames;
	(void)max;
	return 0;
}

static unsigned out_alloc(struct transport *transport, struct tx_frame *frames, unsigned n,
			  uint32_t len)
{
	(void)transport;
	(void)len;
	assert_int_equal(n, 1);
	frames[0] = (struct tx_frame){ .payload = machine->frame + FRAME_HEADROOM,
				       .room = sizeof(machine->frame) - FRAME_HEADROOM };
	if (machine->moment)
		machine->moment(machine);
	return 1;
}

static unsigned out_send(struct transport *transport, struct tx_frame *frames, unsigned n)
{
	unsigned sent = 0;

	(void)transport;
	for (unsigned i = 0; i < n; i++)
		sent += frames[i].len != 0;
	machine->left += sent;
	return sent;
}

static void out_sweep(struct transport *transport)
{
	(void)transport;
}

static const struct transport_ops out_ops = {
	.name = "test", .recv = out_recv, .alloc = out_alloc, .send = out_send, .sweep = out_sweep
};

static int setup(void **state)
{
	static struct machine m;
	struct prefix all = { .family = AF_INET };
	int pair[2];

	(void)state;
	m = (struct machine){ .t = connected(), .out.ops = &out_ops, .out.fd = -1 };
	machine = &m;
	boot_ns = m.t.w->now_ns;
	slept_ns = SECONDS(77); /* an earlier suspend, before the daemon started */
	wait_ns = 0;
	suspend_init(&m.suspend);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
	m.tun.fd = pair[0];
	m.host = pair[1];
	m.qsbr = qsbr_new();
	m.handoff = handoff_new();
	assert_int_equal(device_peer_allow(&m.t.a->device, m.t.ab, &all), 0);
	m.encap = encap_new(&m.t.b->address, 1500);
	atomic_store(&m.t.ab->encap, m.encap);
	assert_int_equal(worker_new(&m.w, &(struct worker_config){ .device = &m.t.a->device,
								   .qsbr = m.qsbr,
								   .handoff = m.handoff,
								   .suspend = &m.suspend,
								   .tun = &m.tun,
								   .cpu = -1 }),
			 0);
	worker_set_udp(m.w, &m.out);
	worker_set_mtu(m.w, 1420);
	m.w->stale = true;
	read_clocks(m.w);
	assert_false(m.w->stale);
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = machine;

	(void)state;
	atomic_store(&m->t.ab->encap, NULL);
	worker_free(m->w);
	handoff_free(m->handoff);
	qsbr_free(m->qsbr);
	free(m->encap);
	close(m->tun.fd);
	close(m->host);
	stage_purge(&m->t.ab->stage);
	world_free(m->t.w);
	return 0;
}

/* The host sends a packet into the tunnel. Returns how many messages leave. */
static unsigned offer(struct machine *m)
{
	uint8_t packet[28] = { 0x45, [3] = sizeof(packet), [12] = 10, [16] = 10, [19] = 2 };
	unsigned before = m->left;

	assert_int_equal(send(m->host, packet, sizeof(packet), 0), sizeof(packet));
	assert_int_equal(egress_run(m->w), 1);
	return m->left - before;
}

static unsigned waiting(const struct machine *m)
{
	return atomic_load(&m->t.ab->stage.count);
}

/* Returns true if a worker has asked the control thread for a session. */
static bool wanted(struct machine *m)
{
	struct note n;
	bool found = false;

	while (handoff_take_note(m->handoff, &n))
		found |= n.kind == NOTE_WANT_HANDSHAKE;
	return found;
}

/* Wipes all keys, with the same calls as daemon/core.c. */
static void wipe_all(struct machine *m)
{
	struct suspend_mark mark = suspend_begin(&m->suspend);

	device_zero_all(&m->t.a->device, boot_ns);
	suspend_end(&m->suspend, mark);
}

/* Moments -------------------------------------------------------------------------------------- */

static void a_little(struct machine *m)
{
	(void)m;
	boot_ns += 5 * NS_PER_MS;
}

static void a_second(struct machine *m)
{
	(void)m;
	boot_ns += SECONDS(1);
}

static void stopped(struct machine *m)
{
	(void)m;
	boot_ns += SECONDS(200);
}

static void sleeps(struct machine *m)
{
	(void)m;
	boot_ns += SECONDS(60);
	slept_ns += SECONDS(60);
}

static void is_copied(struct machine *m)
{
	suspend_copied(&m->suspend);
}

/* The host sleeps. When the host wakes, the control thread wipes the keys. The worker still holds
 * the session and is about to seal a message. */
static void sleeps_and_is_wiped(struct machine *m)
{
	sleeps(m);
	wipe_all(m);
}

static void is_copied_and_wiped(struct machine *m)
{
	is_copied(m);
	wipe_all(m);
}

/* Tests ---------------------------------------------------------------------------------------- */

static void nothing_happens(void **state)
{
	(void)state;
	assert_int_equal(offer(machine), 1);
	machine->moment = a_little;
	assert_int_equal(offer(machine), 1);
	machine->moment = a_second; /* a longer delay, after which the session is still valid */
	assert_int_equal(offer(machine), 1);
	assert_int_equal(waiting(machine), 0);
	assert_false(wanted(machine));
}

static void worst_moment(void **state)
{
	static const struct {
		void (*moment)(struct machine *m);
		bool stale;
	} table[] = {
		{ stopped, false },
		{ sleeps, true },
		{ is_copied, true },
		{ sleeps_and_is_wiped, false },
		{ is_copied_and_wiped, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		machine->moment = table[i].moment;
		assert_int_equal(offer(machine), 0);
		assert_int_equal(machine->w->stale, table[i].stale);
		assert_int_equal(waiting(machine), 1); /* the packet is not lost */
		assert_true(wanted(machine));
		teardown(NULL);
		setup(NULL);
	}
}

/* The host is suspended just before the worker seals the packets that waited for a session. The
 * packets keep waiting. */
static void while_flushing(void **state)
{
	static const uint8_t packet[28] = { 0x45 };

	(void)state;
	stage_push(&machine->t.ab->stage, packet, sizeof(packet));
	machine->moment = sleeps;
	egress_flush(machine->w, (struct peer *[]){ machine->t.ab }, 1);
	assert_int_equal(machine->left, 0);
	assert_int_equal(waiting(machine), 1);
}

/* The host is suspended between two turns of the worker's loop. Nothing is sealed until all keys
 * are wiped, however often the worker checks the clock. */
static void between_turns(void **state)
{
	(void)state;
	sleeps(machine);
	for (unsigned i = 0; i < 3; i++) {
		read_clocks(machine->w);
		assert_true(machine->w->stale);
		assert_int_equal(offer(machine), 0);
		a_little(machine);
	}
	assert_int_equal(waiting(machine), 3);
	assert_non_null(atomic_load(&machine->t.ab->current));
	wipe_all(machine);
	assert_null(atomic_load(&machine->t.ab->current));
	read_clocks(machine->w);
	assert_false(machine->w->stale);
	assert_int_equal(offer(machine), 0);

	is_copied(machine); /* the clocks of a copied host show no suspend */
	read_clocks(machine->w);
	assert_true(machine->w->stale);
	wipe_all(machine);
	read_clocks(machine->w);
	assert_false(machine->w->stale);
}

/* If the host is copied or suspended again while the keys are being wiped, the daemon wipes them
 * once more. */
static void twice(void **state)
{
	struct suspend_mark mark = suspend_begin(&machine->suspend);

	(void)state;
	assert_false(suspend_stale(&machine->suspend));
	is_copied(machine);
	suspend_end(&machine->suspend, mark);
	assert_true(suspend_stale(&machine->suspend));
	wipe_all(machine);
	assert_false(suspend_stale(&machine->suspend));
	mark = suspend_begin(&machine->suspend);
	sleeps(machine);
	suspend_end(&machine->suspend, mark);
	assert_true(suspend_stale(&machine->suspend));
	wipe_all(machine);
	assert_false(suspend_stale(&machine->suspend));
}

/* A thread that is delayed between its readings of the two clocks must not mistake the delay for a
 * suspend. */
static void no_false_alarm(void **state)
{
	(void)state;
	wait_ns = SECONDS(3);
	for (unsigned i = 0; i < 10; i++)
		assert_false(suspend_stale(&machine->suspend));
	wait_ns = 0;
	boot_ns += SECONDS(1000000);
	assert_false(suspend_stale(&machine->suspend));
	boot_ns += 2 * NS_PER_MS;
	slept_ns += 2 * NS_PER_MS; /* more than SLACK_NS */
	assert_true(suspend_stale(&machine->suspend));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_happens, setup, teardown),
		cmocka_unit_test_setup_teardown(worst_moment, setup, teardown),
		cmocka_unit_test_setup_teardown(while_flushing, setup, teardown),
		cmocka_unit_test_setup_teardown(between_turns, setup, teardown),
		cmocka_unit_test_setup_teardown(twice, setup, teardown),
		cmocka_unit_test_setup_teardown(no_false_alarm, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
