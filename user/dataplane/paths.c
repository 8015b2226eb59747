/* SPDX-License-Identifier: MIT */
#include "dataplane/paths.h"

#include <errno.h>
#include <string.h>

#include "bpf/loader.h"
#include "dataplane/nic_choice.h"
#include "dataplane/workers.h"
#include "io/afxdp.h"
#include "util/log.h"
#include "wg/device.h"

#define UDP_BECAUSE "data goes through the UDP sockets: "

/* Sets the members that summarize all NICs. */
static void summarize(struct paths *p)
{
	size_t len = 0;

	p->rx_xdp = p->tx_xdp = false;
	p->busy_poll = true;
	p->queue_count = p->zero_copy_count = 0;
	p->why[0] = '\0';
	for (unsigned i = 0; i < p->nic_count; i++) {
		const struct nic *nic = &p->nics[i];

		p->rx_xdp |= nic->attached;
		p->tx_xdp |= nics_sends(&p->env, nic);
		p->queue_count += nic->queue_count;
		for (unsigned q = 0; q < nic->queue_count; q++) {
			p->zero_copy_count += afxdp_zero_copy(nic->queues[q]);
			p->busy_poll &= nic->queues[q]->busy_poll_ns > 0;
		}
		if (*nic->why && len < sizeof(p->why))
			len += (size_t)snprintf(p->why + len, sizeof(p->why) - len, "%s%s",
						len ? "; " : "", nic->why);
	}
	p->busy_poll &= p->rx_xdp || p->tx_xdp;
}

static bool may_use_udp(const struct options *o)
{
	return o->rx != OPTIONS_PATH_XDP && o->tx != OPTIONS_PATH_XDP && !o->chain &&
	       o->xsk.zero_copy != AFXDP_ZC_ON;
}

/* Logs why the NIC does not use AF_XDP, or what AF_XDP bypasses there. The words are the same as in
 * the warning of paths_warn(). */
static void log_nic(const struct nic *nic)
{
	if (*nic->why)
		log_info("%s%s", nic->queue_count ? "" : UDP_BECAUSE, nic->why);
}

int paths_without_xdp(struct paths *p, int err, const struct fault *f)
{
	const struct options *options = p->env.options;

	if (!nic_checks_wants_xdp(options))
		return 0;
	if (!may_use_udp(options))
		return err;
	snprintf(p->why, sizeof(p->why), "%s", f->text);
	log_info(UDP_BECAUSE "%s", p->why);
	return 0;
}

int paths_choose(struct paths *p, const struct nics_env *env, const struct conf *conf,
		 uint32_t fwmark, struct fault *f)
{
	struct nic_choice choice = { .nics = p->nics };
	int err;

	*p = (struct paths){ .env = *env };
	err = nic_choice_named(&choice, env->netlink, env->options, f);
	if (err)
		return err;
	if (!env->options->nics.count)
		nic_choice_routed(&choice, env->netlink, conf, fwmark);
	p->nic_count = choice.count;
	return 0;
}

int paths_open(struct paths *p, struct loader *loader, struct fault *f)
{
	int err;

	p->env.loader = loader;
	if (!p->nic_count)
		return paths_without_xdp(p,
					 fault(f, -ENODEV,
					       "found no NIC: neither a route to an endpoint nor a "
					       "default route uses one; name the NIC: wgxdp "
					       "attach NIC CONF"),
					 f);
	for (unsigned i = 0; i < p->nic_count; i++) {
		err = nics_open(&p->env, &p->nics[i], f);
		if (!nic_checks_wants_xdp(p->env.options))
			continue;
		if (err && !may_use_udp(p->env.options))
			return err;
		log_nic(&p->nics[i]);
	}
	summarize(p);
	return 0;
}

void paths_warn(const struct paths *p, void (*warn)(void *ctx, const char *sentence), void *ctx)
{
	for (unsigned i = 0; i < p->nic_count; i++) {
		const struct nic *nic = &p->nics[i];
		const char *why = p->env.loader ? nic->why : p->why;
		struct netlink_link link;
		struct fault sentence;

		if (!nic->ifindex || !*why ||
		    (!netlink_link(p->env.netlink, NULL, nic->ifindex, &link) &&
		     nic_checks_prefers_udp(p->env.options, &link)))
			continue;
		fault(&sentence, 0, "%s%s", nic->queue_count ? "" : UDP_BECAUSE, why);
		warn(ctx, sentence.text);
		if (!p->env.loader)
			break; /* the reason is the same for all NICs */
	}
}

void paths_close(struct paths *p)
{
	for (unsigned i = 0; i < p->nic_count; i++)
		nics_close(&p->env, &p->nics[i]);
}

unsigned paths_fewest_queues(const struct paths *p)
{
	unsigned fewest = 0;

	for (unsigned i = 0; i < p->nic_count; i++)
		if (p->nics[i].queue_count && (!fewest || p->nics[i].sender_count < fewest))
			fewest = p->nics[i].sender_count;
	return fewest;
}

static int give_queue(const struct paths *p, const struct nic *nic, unsigned queue,
		      struct workers *workers, unsigned worker, struct fault *f)
{
	bool sends = nics_sends(&p->env, nic) && queue < nic->sender_count;
	int err = worker_add_port(workers->list[worker], nic->queues[queue], sends);

	if (err)
		return fault(f, err, "%s: a worker can serve at most %d queues; use more --workers",
			     nic->name, WORKER_PORTS_MAX);
	if (nic->attached)
		err = loader_set_queue_worker(p->env.loader, nic->ifindex, queue, worker);
	return err ? fault(f, err,
			   "%s: the BPF programs cannot be told which worker serves queue %u: %s",
			   nic->name, queue, strerror(-err))
		   : 0;
}

int paths_give_ports(const struct paths *p, struct workers *workers, struct fault *f)
{
	int err = 0;

	for (unsigned w = 0; w < workers->count; w++) {
		worker_drop_ports(workers->list[w]);
		for (unsigned i = 0; i < p->nic_count; i++)
			for (unsigned q = w; q < p->nics[i].queue_count; q += workers->count)
				err = err ?: give_queue(p, &p->nics[i], q, workers, w, f);
	}
	return err;
}

/* Opens the NIC, and logs whether AF_XDP uses the NIC, or why not. nics_open() also returns 0 with
 * `--rx udp --tx udp`, but then opens no queue. */
static void open_nic(struct paths *p, struct nic *nic)
{
	struct fault f;

	if (!nics_open(&p->env, nic, &f) && nic->queue_count)
		log_info("%s: AF_XDP uses this NIC now", nic->name);
	log_nic(nic);
}

/* Looks at one NIC and handles its change, if any. Returns true if the NIC has changed. While the
 * workers are stopped, packets wait in the UDP sockets, because the XDP program finds no fresh
 * heartbeat and passes the packets. */
static bool follow_nic(struct paths *p, struct nic *nic, struct workers *workers)
{
	switch (nics_look(&p->env, nic)) {
	case NICS_LOST:
		workers_stop(workers);
		nics_leave(&p->env, nic);
		log_nic(nic);
		return true;
	case NICS_READY:
		open_nic(p, nic);
		return true;
	case NICS_NOTED:
		log_nic(nic);
		summarize(p);
		return false;
	default:
		return false;
	}
}

bool paths_follow(struct paths *p, struct workers *workers)
{
	bool changed = false;

	for (unsigned i = 0; i < p->nic_count && p->env.loader; i++)
		changed |= follow_nic(p, &p->nics[i], workers);
	if (changed)
		summarize(p);
	return changed;
}

/* Limit on the number of peers whose routes are looked up, because a hub may have many peers. */
#define PEERS_LOOKED_AT 64

static void add_peers(struct nic_choice *choice, struct netlink *nl, const struct device *device,
		      uint32_t fwmark)
{
	struct device_place at = { 0 };
	const struct peer *peer = device_peer_next(device, &at);

	for (unsigned i = 0; i < PEERS_LOOKED_AT && peer; i++) {
		nic_choice_towards(choice, nl, &peer->endpoint, fwmark);
		peer = device_peer_next(device, &at);
	}
}

static bool drop_unwanted(struct paths *p, struct workers *workers, const struct nic_choice *wanted)
{
	bool changed = false;

	for (unsigned i = 0; i < p->nic_count;) {
		struct nic *nic = &p->nics[i];

		if (nic_choice_has(wanted, nic->name)) {
			i++;
			continue;
		}
		workers_stop(workers);
		log_info("%s: this NIC is no longer used by a route to an endpoint or by a "
			 "default route",
			 nic->name);
		nics_close(&p->env, nic);
		*nic = p->nics[--p->nic_count];
		changed = true;
	}
	return changed;
}

static bool add_wanted(struct paths *p, const struct nic_choice *wanted, unsigned count)
{
	const struct nic_choice known = { .nics = p->nics, .count = p->nic_count };
	bool changed = false;

	for (unsigned i = 0; i < count && p->nic_count < OPTIONS_NICS_MAX; i++) {
		if (nic_choice_has(&known, wanted->nics[i].name))
			continue;
		p->nics[p->nic_count] = wanted->nics[i];
		open_nic(p, &p->nics[p->nic_count++]);
		changed = true;
	}
	return changed;
}

bool paths_choose_again(struct paths *p, struct workers *workers, const struct device *device,
			uint32_t fwmark, const char *tunnel)
{
	struct nic nics[OPTIONS_NICS_MAX];
	struct nic_choice wanted = { .nics = nics, .tunnel = tunnel };
	bool changed;
	unsigned new;

	if (p->env.options->nics.count || !p->env.loader)
		return false;
	add_peers(&wanted, p->env.netlink, device, fwmark);
	if (!wanted.count)
		nic_choice_default(&wanted, p->env.netlink, fwmark);
	new = wanted.count;
	/* Append the NICs of the default routes. drop_unwanted() keeps these NICs if they are open,
	 * but add_wanted() looks only at the first @new NICs, and so does not open them. */
	nic_choice_default(&wanted, p->env.netlink, fwmark);
	if (!wanted.count)
		return false;
	changed = drop_unwanted(p, workers, &wanted);
	changed |= add_wanted(p, &wanted, new);
	if (changed)
		summarize(p);
	return changed;
}

void paths_stats(const struct paths *p, struct path_stats *sum)
{
	for (unsigned i = 0; i < p->nic_count; i++)
		for (unsigned q = 0; q < p->nics[i].queue_count; q++)
			path_stats_add_xsk(sum, p->nics[i].queues[q]);
}
