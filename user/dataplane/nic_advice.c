/* SPDX-License-Identifier: MIT */
#include "dataplane/nic_advice.h"

#include <errno.h>
#include <string.h>

#include "io/afxdp.h"

/* Limits that individual drivers set for XDP programs, beyond those that the kernel reports.
 * docs/compatibility.md names the sources. */
static const struct rule {
	const char *driver;
	uint32_t mtu;	     /* the largest MTU */
	bool half_of_queues; /* half of the queues must be off: the driver needs them for XDP */
	bool without_gro_hw; /* hardware GRO must be off */
	bool frees_gro_hw;   /* the driver turns hardware GRO off; if it cannot, it refuses XDP */
} rules[] = {
	{ .driver = "ena", .mtu = 3498, .half_of_queues = true },
	{ .driver = "gve", .mtu = 2030, .half_of_queues = true },
	{ .driver = "mlx5_core", .mtu = 3498, .without_gro_hw = true },
	{ .driver = "virtio_net", .mtu = AFXDP_MTU_MAX, .frees_gro_hw = true },
	{ .driver = "vmxnet3", .mtu = 3492 },
};

static const struct rule *rule_of(const struct nic_facts *f)
{
	static const struct rule any = { .mtu = AFXDP_MTU_MAX };

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (!strcmp(rules[i].driver, f->driver))
			return &rules[i];
	return &any;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* Returns the largest number of channels with which the driver accepts an XDP program. */
static struct ethtool_counts channels_allowed(const struct nic_facts *f)
{
	struct ethtool_counts max = f->channels_max;

	if (rule_of(f)->half_of_queues)
		return (struct ethtool_counts){ max.rx / 2, max.tx / 2, max.combined / 2 };
	return max;
}

static bool has_too_many_channels(const struct nic_facts *f)
{
	const struct ethtool_counts allowed = channels_allowed(f), *now = &f->channels;

	return f->has_channels &&
	       (now->rx > allowed.rx || now->tx > allowed.tx || now->combined > allowed.combined);
}

static bool is_on(const struct nic_facts *f, enum ethtool_offload offload)
{
	return f->offloads[offload].known && f->offloads[offload].on;
}

static bool can_switch(const struct nic_facts *f, enum ethtool_offload offload, bool on)
{
	const struct ethtool_offload_state *s = &f->offloads[offload];

	return s->known && s->on != on && !s->fixed;
}

static bool is_hardware(const struct nic_facts *f)
{
	return !*f->link.kind;
}

/* The path ------------------------------------------------------------------------------------- */

/* Adds a reason, and returns its sentence, which the caller fills in. */
static struct fault *add_reason(struct nic_judgement *j, enum nic_reason_kind kind)
{
	struct nic_reason *reason = &j->reasons[j->reason_count++];

	*reason = (struct nic_reason){ .kind = kind };
	return &reason->sentence;
}

/* Adds the reason why XDP cannot be used. Returns false if no such reason is known. */
static bool find_obstacle(struct nic_judgement *j, const struct nic_facts *f,
			  const struct options *options)
{
	const char *name = f->link.name, *driver = *f->driver ? f->driver : "its driver";
	const struct rule *rule = rule_of(f);
	struct fault why = { "" };

	if (f->refusal)
		why = f->why;
	else if (f->native == NIC_NO)
		fault(&why, 0,
		      "%s: %s offers no native XDP with the present settings, and auto never uses "
		      "generic XDP, which runs only after the kernel has built a socket buffer",
		      name, driver);
	else if (rule->frees_gro_hw && is_on(f, ETHTOOL_GRO_HW) &&
		 f->offloads[ETHTOOL_GRO_HW].fixed)
		fault(&why, 0,
		      "%s: %s refuses XDP, because the hypervisor merges packets (rx-gro-hw) and "
		      "the guest cannot switch that off",
		      name, driver);
	else if (f->link.mtu > rule->mtu)
		fault(&why, 0,
		      "%s: %s accepts an XDP program only with an MTU of at most %u, not %u", name,
		      driver, rule->mtu, f->link.mtu);
	else if (has_too_many_channels(f))
		fault(&why, 0,
		      "%s: %s accepts an XDP program only if half of its channels are unused", name,
		      driver);
	else if (f->owners.count)
		(void)xsk_owners_fault(&f->owners, name, &why);
	else
		return false;
	*add_reason(j, nic_checks_prefers_udp(options, &f->link) ? NIC_UDP_IS_FASTER
								 : NIC_WITHOUT_XDP) = why;
	return true;
}

static void say_bypassed_by_nic(struct nic_judgement *j, const struct nic_facts *f,
				const struct options *options, bool sends, bool receives)
{
	char why[sizeof(struct fault)] = "";

	nic_checks_explain(why, sizeof(why), f->link.name, options, &f->bypassed, sends, receives);
	if (*why)
		fault(add_reason(j, NIC_BYPASSED), 0, "%s", why);
}

static void say_bypassed_by_host(struct nic_judgement *j, const struct nic_facts *f)
{
	const char *name = f->link.name;

	if (f->ipsec == NIC_YES)
		fault(add_reason(j, NIC_BYPASSED), 0,
		      "%s: if an IPsec policy encrypts or refuses the packets for a peer, data to "
		      "this peer is sent by the UDP socket, because AF_XDP would bypass the policy",
		      name);
	if (*f->hooks.nat)
		fault(add_reason(j, NIC_BYPASSED), 0,
		      "%s: if the nftables chain \"%s\" applies NAT to the packets for a peer, "
		      "data to this peer is sent by the UDP socket, because AF_XDP would bypass "
		      "the chain",
		      name, f->hooks.nat);
	if (*f->hooks.route)
		fault(add_reason(j, NIC_BYPASSED), 0,
		      "%s: AF_XDP does not see the marks that the nftables chain \"%s\" sets", name,
		      f->hooks.route);
}

static void choose(struct nic_judgement *j, const struct nic_facts *f,
		   const struct options *options)
{
	bool xdp = nic_checks_wants_xdp(options) && !find_obstacle(j, f, options);

	if (xdp && f->native == NIC_UNKNOWN)
		fault(add_reason(j, NIC_MAY_REFUSE), 0,
		      "%s: if %s refuses the XDP program, the UDP sockets are used; kernels before "
		      "Linux 6.3 do not report what a driver offers",
		      f->link.name, *f->driver ? f->driver : "its driver");
	j->rx_xdp = xdp && nic_checks_wants_rx(options);
	j->tx_xdp = xdp && nic_checks_sends(options, &f->bypassed);
	say_bypassed_by_nic(j, f, options, xdp, false);
	say_bypassed_by_nic(j, f, options, false, j->rx_xdp);
	if (j->tx_xdp)
		say_bypassed_by_host(j, f);
}

/* Advice --------------------------------------------------------------------------------------- */

static struct nic_advice *add(struct nic_judgement *j, const char *why)
{
	struct nic_advice *a = &j->advice[j->count++];

	*a = (struct nic_advice){ .tunable = false };
	snprintf(a->why, sizeof(a->why), "%s", why);
	return a;
}

static void advise_offload(struct nic_judgement *j, const struct nic_facts *f,
			   enum ethtool_offload offload, bool on, const char *why)
{
	struct nic_advice *a;

	if (!can_switch(f, offload, on))
		return;
	a = add(j, why);
	a->tunable = !on;
	a->change = (struct tuning_change){
		.ifindex = f->link.ifindex,
		.is_offload = true,
		.offload = offload,
	};
	tuning_command(a->command, f->link.name, &a->change, on);
}

/* Returns the number of channels for @workers workers: at least one channel that receives and one
 * that sends for each worker, if the driver allows that many. */
static struct ethtool_counts channels_for(const struct nic_facts *f, unsigned workers)
{
	const struct ethtool_counts max = channels_allowed(f);
	struct ethtool_counts c = f->channels;

	if (f->channels_max.combined) {
		c.combined = larger(smaller(c.combined, max.combined),
				    smaller(workers > c.rx ? workers - c.rx : 0, max.combined));
	} else {
		c.rx = larger(smaller(c.rx, max.rx), smaller(workers, max.rx));
		c.tx = larger(smaller(c.tx, max.tx), smaller(workers, max.tx));
	}
	return c;
}

static void advise_channels(struct nic_judgement *j, const struct nic_facts *f, unsigned workers)
{
	const struct ethtool_counts now = f->channels, c = channels_for(f, workers);
	struct nic_advice *a;

	if (!f->has_channels || (c.combined == now.combined && c.rx == now.rx && c.tx == now.tx) ||
	    (f->channels_max.combined && !c.combined) ||
	    (!f->channels_max.combined && (!c.rx || !c.tx)))
		return;
	a = add(j, has_too_many_channels(f)
			   ? "the driver keeps the other half of its channels for XDP"
			   : "each worker needs a queue of its own, so the queues limit the "
			     "number of workers");
	a->tunable = true;
	a->change = (struct tuning_change){
		.ifindex = f->link.ifindex,
		.before = now,
		.after = c,
	};
	tuning_command(a->command, f->link.name, &a->change, false);
}

static void advise_mtu(struct nic_judgement *j, const struct nic_facts *f)
{
	uint32_t mtu = rule_of(f)->mtu;
	struct nic_advice *a;

	if (f->link.mtu <= mtu)
		return;
	a = add(j, "XDP needs a smaller MTU, which then applies to all traffic of the NIC");
	snprintf(a->command, sizeof(a->command), "ip link set %s mtu %u", f->link.name, mtu);
}

/* Advises changes that let the NIC use XDP, or use XDP with more workers. */
static void advise_xdp(struct nic_judgement *j, const struct nic_facts *f, unsigned workers)
{
	if (is_hardware(f))
		advise_offload(j, f, ETHTOOL_LRO, false,
			       "drivers refuse XDP while the NIC merges packets");
	if (rule_of(f)->without_gro_hw || f->native == NIC_NO)
		advise_offload(j, f, ETHTOOL_GRO_HW, false,
			       "drivers refuse XDP while the NIC merges packets");
	if (f->native == NIC_NO)
		return;
	advise_mtu(j, f);
	advise_channels(j, f, workers);
}

/* Advises offloads that speed up the UDP sockets. Only a hardware NIC benefits from them. */
static void advise_udp(struct nic_judgement *j, const struct nic_facts *f)
{
	if (!j->rx_xdp)
		advise_offload(j, f, ETHTOOL_GRO, true,
			       "without GRO the UDP socket receives datagrams one by one");
	if (j->tx_xdp)
		return;
	if (!is_on(f, ETHTOOL_TX_CHECKSUM) && !is_on(f, ETHTOOL_TX_CHECKSUM_V4)) {
		advise_offload(
			j, f, ETHTOOL_TX_CHECKSUM, true,
			"the kernel refuses UDP segmentation on a NIC without checksum offload");
		advise_offload(
			j, f, ETHTOOL_TX_CHECKSUM_V4, true,
			"the kernel refuses UDP segmentation on a NIC without checksum offload");
	}
	advise_offload(j, f, ETHTOOL_UDP_SEGMENTATION, true,
		       "the NIC could do the UDP segmentation that the kernel does now");
}

/* Sets the command to @attach, followed by the name of the NIC and CONF for the config file. */
static void advise_attach(struct nic_advice *a, const char *attach, const char *name)
{
	snprintf(a->command, sizeof(a->command), "%s %s%s CONF", attach, fault_dashes(name), name);
}

static void advise_about_others(struct nic_judgement *j, const struct nic_facts *f)
{
	const char *name = f->link.name;
	char why[sizeof(f->bypassed.egress) + 32];
	struct nic_advice *a;

	/* Do not advise --chain if another program's AF_XDP sockets own the queues (f->owners),
	 * because --chain shares the XDP hook of the NIC, but not the queues. */
	if (f->refusal == -EBUSY && *f->program && !f->owners.count) {
		a = add(j,
			"a NIC can have only one XDP program, unless all use libxdp's dispatcher");
		advise_attach(a, "wgxdp attach --chain", name);
	}
	if (*f->bypassed.egress && j->rx_xdp) {
		snprintf(why, sizeof(why), "if sent data may bypass %s", f->bypassed.egress);
		a = add(j, why);
		advise_attach(a, "wgxdp attach --tx xdp", name);
	}
	if (*f->bypassed.ingress && j->rx_xdp) {
		snprintf(why, sizeof(why), "if received data must pass %s", f->bypassed.ingress);
		a = add(j, why);
		advise_attach(a, "wgxdp attach --rx udp", name);
	}
	if (*f->hooks.route && j->tx_xdp) {
		a = add(j, "if the route of sent data depends on marks that netfilter sets");
		advise_attach(a, "wgxdp attach --tx udp", name);
	}
}

void nic_judge(struct nic_judgement *j, const struct nic_facts *f, const struct options *options,
	       unsigned workers)
{
	*j = (struct nic_judgement){ .rx_xdp = false };
	choose(j, f, options);
	if (f->refusal == -EMSGSIZE)
		advise_mtu(j, f);
	else if (!f->refusal && nic_checks_wants_xdp(options))
		advise_xdp(j, f, workers);
	if (is_hardware(f))
		advise_udp(j, f);
	advise_about_others(j, f);
}
