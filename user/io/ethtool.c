/* SPDX-License-Identifier: MIT */
#include "io/ethtool.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define FEATURES_MAX 256 /* Linux has about 64 features */
#define BLOCKS_MAX (FEATURES_MAX / 32)

/* Runs one command on the NIC. @data begins with the number of the command. Returns the result of
 * the ioctl, which is 0 or more, or -errno. */
static int run(const char *nic, void *data)
{
	struct ifreq request = { .ifr_data = data };
	size_t len = strlen(nic);
	int fd, result;

	if (!len || len >= sizeof(request.ifr_name))
		return -ENODEV;
	memcpy(request.ifr_name, nic, len);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	result = ioctl(fd, SIOCETHTOOL, &request);
	if (result < 0)
		result = -errno;
	close(fd);
	return result;
}

int ethtool_driver(const char *nic, char driver[static ETHTOOL_DRIVER_LEN])
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	int err = run(nic, &info);

	_Static_assert(sizeof(info.driver) == ETHTOOL_DRIVER_LEN, "the kernel's name fits");
	if (err < 0)
		return err;
	info.driver[sizeof(info.driver) - 1] = '\0';
	memcpy(driver, info.driver, sizeof(info.driver));
	return 0;
}

/* Channels and rings --------------------------------------------------------------------------- */

int ethtool_channels(const char *nic, struct ethtool_counts *now, struct ethtool_counts *max)
{
	struct ethtool_channels c = { .cmd = ETHTOOL_GCHANNELS };
	int err = run(nic, &c);

	if (err < 0)
		return err;
	*now = (struct ethtool_counts){ c.rx_count, c.tx_count, c.combined_count };
	*max = (struct ethtool_counts){ c.max_rx, c.max_tx, c.max_combined };
	return 0;
}

int ethtool_set_channels(const char *nic, const struct ethtool_counts *wanted)
{
	struct ethtool_channels c = { .cmd = ETHTOOL_GCHANNELS };
	int err = run(nic, &c); /* reads c.other_count, which must stay the same */

	if (err < 0)
		return err;
	c.cmd = ETHTOOL_SCHANNELS;
	c.rx_count = wanted->rx;
	c.tx_count = wanted->tx;
	c.combined_count = wanted->combined;
	err = run(nic, &c);
	return err < 0 ? err : 0;
}

int ethtool_rings(const char *nic, struct ethtool_rings *rings)
{
	struct ethtool_ringparam r = { .cmd = ETHTOOL_GRINGPARAM };
	int err = run(nic, &r);

	if (err < 0)
		return err;
	*rings = (struct ethtool_rings){ r.rx_pending, r.tx_pending, r.rx_max_pending,
					 r.tx_max_pending };
	return 0;
}

/* Offloads ------------------------------------------------------------------------------------- */

/* Each kernel version numbers the features differently, so they are looked up by name. */
struct features {
	uint32_t count;
	struct ethtool_gstrings *names;
	struct ethtool_gfeatures *blocks;
};

static const char *const names[] = {
#define X(id, name) name,
	FOREACH_OFFLOAD(X)
#undef X
};

const char *ethtool_offload_name(enum ethtool_offload offload)
{
	return names[offload];
}

static void features_done(struct features *f)
{
	free(f->names);
	free(f->blocks);
}

static int count_features(const char *nic, uint32_t *count)
{
	struct ethtool_sset_info *set = calloc(1, sizeof(*set) + sizeof(set->data[0]));
	int err;

	if (!set)
		return -ENOMEM;
	set->cmd = ETHTOOL_GSSET_INFO;
	set->sset_mask = 1ULL << ETH_SS_FEATURES;
	err = run(nic, set);
	if (err < 0)
		goto out;
	*count = set->data[0];
	err = set->sset_mask && *count && *count <= FEATURES_MAX ? 0 : -EOPNOTSUPP;
out:
	free(set);
	return err;
}

/* Returns 0 or -errno. Call features_done() also after a failure. */
static int read_features(const char *nic, struct features *f)
{
	int err;

	*f = (struct features){ .count = 0 };
	err = count_features(nic, &f->count);
	if (err)
		return err;
	f->names = calloc(1, sizeof(*f->names) + (size_t)f->count * ETH_GSTRING_LEN);
	f->blocks = calloc(1, sizeof(*f->blocks) + BLOCKS_MAX * sizeof(f->blocks->features[0]));
	if (!f->names || !f->blocks)
		return -ENOMEM;
	f->names->cmd = ETHTOOL_GSTRINGS;
	f->names->string_set = ETH_SS_FEATURES;
	f->names->len = f->count;
	f->blocks->cmd = ETHTOOL_GFEATURES;
	f->blocks->size = (f->count + 31) / 32;
	err = run(nic, f->names);
	if (err >= 0)
		err = run(nic, f->blocks);
	return err < 0 ? err : 0;
}

/* Returns the number of the feature with this name, or -1. */
static int find_feature(const struct features *f, const char *name)
{
	for (uint32_t i = 0; i < f->count; i++)
		if (!strncmp((const char *)f->names->data + (size_t)i * ETH_GSTRING_LEN, name,
			     ETH_GSTRING_LEN))
			return (int)i;
	return -1;
}

int ethtool_offloads(const char *nic, struct ethtool_offload_state states[static ETHTOOL_OFFLOADS])
{
	struct features f;
	int err = read_features(nic, &f);

	for (int i = 0; i < ETHTOOL_OFFLOADS && !err; i++) {
		int at = find_feature(&f, names[i]);
		const struct ethtool_get_features_block *b;
		uint32_t bit;

		states[i] = (struct ethtool_offload_state){ .known = at >= 0 };
		if (at < 0)
			continue;
		b = &f.blocks->features[at / 32];
		bit = 1U << (at % 32);
		states[i].on = b->active & bit;
		states[i].fixed = !(b->available & bit) || b->never_changed & bit;
	}
	features_done(&f);
	return err;
}

int ethtool_set_offload(const char *nic, enum ethtool_offload offload, bool on)
{
	struct ethtool_sfeatures *set = NULL;
	struct features f;
	int err = read_features(nic, &f), at = -1;

	if (!err)
		at = find_feature(&f, names[offload]);
	if (!err && at < 0)
		err = -EOPNOTSUPP;
	if (err)
		goto out;
	set = calloc(1, sizeof(*set) + BLOCKS_MAX * sizeof(set->features[0]));
	if (!set) {
		err = -ENOMEM;
		goto out;
	}
	set->cmd = ETHTOOL_SFEATURES;
	set->size = f.blocks->size;
	set->features[at / 32].valid = 1U << (at % 32);
	set->features[at / 32].requested = on ? 1U << (at % 32) : 0;
	err = run(nic, set);
	if (err > 0) /* ETHTOOL_F_UNSUPPORTED, _WISH: the driver did not make the change */
		err = -EOPNOTSUPP;
out:
	free(set);
	features_done(&f);
	return err;
}
