/* SPDX-License-Identifier: MIT */
/* test_paths.c - the error of paths_give_ports() names the true cause: too many queues for one
 * worker, or a BPF map that could not be written. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bpf/loader.h"
#include "dataplane/nics.h"
#include "dataplane/workers.h"

/* paths.c calls these fakes instead of the functions of the workers, the NICs and the BPF maps. */
#define worker_add_port count_port
#define worker_drop_ports drop_ports
#define loader_set_queue_worker write_map
#define nics_sends any_sends

static unsigned ports;
static int map_err;

static int count_port(struct worker *w, struct transport *transport, bool tx)
{
	(void)w, (void)transport, (void)tx;
	return ports == WORKER_PORTS_MAX ? -ENOSPC : (ports++, 0);
}

static void drop_ports(struct worker *w)
{
	(void)w;
	ports = 0;
}

static int write_map(struct loader *l, uint32_t ifindex, uint32_t queue, unsigned worker)
{
	(void)l, (void)ifindex, (void)worker;
	return queue == 1 ? map_err : 0;
}

static bool any_sends(const struct nics_env *env, const struct nic *nic)
{
	(void)env, (void)nic;
	return true;
}

#include "dataplane/paths.c" /* NOLINT(bugprone-suspicious-include) */

static void set_nic(struct nic *nic, const char *name, unsigned queues, bool attached)
{
	snprintf(nic->name, sizeof(nic->name), "%s", name);
	nic->queue_count = nic->sender_count = queues;
	nic->attached = attached;
}

/* Gives a worker the queues of eth0, and one queue of eth1 if @two. */
static int give(unsigned queues, bool two, bool attached, int err, struct fault *f)
{
	static struct paths p;
	struct workers workers = { .count = 1 };

	p = (struct paths){ .nic_count = two ? 2 : 1 };
	set_nic(&p.nics[0], "eth0", queues, attached);
	set_nic(&p.nics[1], "eth1", 1, attached);
	map_err = err;
	*f = (struct fault){ "" };
	return paths_give_ports(&p, &workers, f);
}

static void cause_is_named(void **state)
{
	struct fault f;

	(void)state;
	assert_int_equal(give(WORKER_PORTS_MAX, false, true, 0, &f), 0);
	assert_string_equal(f.text, "");
	assert_int_equal(give(WORKER_PORTS_MAX, true, true, 0, &f), -ENOSPC);
	assert_string_equal(f.text,
			    "eth1: a worker can serve at most 64 queues; use more --workers");
	assert_int_equal(give(2, false, true, -ENOMEM, &f), -ENOMEM);
	assert_string_equal(f.text, "eth0: the BPF programs cannot be told which worker serves "
				    "queue 1: Cannot allocate memory");
	/* Without XDP, no map is written. */
	assert_int_equal(give(2, false, false, -ENOMEM, &f), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cause_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
