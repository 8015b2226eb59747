/* SPDX-License-Identifier: MIT */
#include "dataplane/nic_tune.h"

#include "dataplane/nic_advice.h"
#include "dataplane/workers.h"
#include "util/log.h"

static bool is_tuned(const struct nic_tuner *t, uint32_t ifindex)
{
	for (unsigned i = 0; i < t->tuned_count; i++)
		if (t->tuned[i] == ifindex)
			return true;
	return t->tuned_count == OPTIONS_NICS_MAX;
}

static void say(const struct nic_tuner *t, const char *sentence)
{
	log_info("%s", sentence);
	t->say(t->ctx, sentence);
}

static void make(struct nic_tuner *t, const char *nic, const struct nic_advice *advice)
{
	char back[TUNING_COMMAND_LEN];
	struct fault f;

	tuning_command(back, nic, &advice->change, true);
	fault(&f, 0,
	      "%s: --tune runs `%s`, which may take the link down for a moment; detach runs "
	      "`%s`",
	      nic, advice->command, back);
	say(t, f.text);
	if (tuning_make(&t->tuning, nic, &advice->change, &f))
		say(t, f.text);
}

void nic_tune(struct nic_tuner *t, struct netlink *nl, const struct options *options,
	      const char *name, uint32_t ifindex)
{
	struct nic_judgement judgement;
	struct nic_facts facts;

	if (!t->say || is_tuned(t, ifindex) || nic_facts_read(&facts, nl, options, name))
		return;
	t->tuned[t->tuned_count++] = ifindex;
	nic_judge(&judgement, &facts, options, workers_most(options));
	for (unsigned i = 0; i < judgement.count; i++)
		if (judgement.advice[i].tunable)
			make(t, facts.link.name, &judgement.advice[i]);
}

void nic_tune_begin(struct nic_tuner *t, const char *name, uint32_t ifindex)
{
	tuning_watch(&t->tuning, name, ifindex);
}

void nic_tune_end(struct nic_tuner *t, const char *name, uint32_t ifindex)
{
	tuning_unwatch(&t->tuning, name, ifindex);
}

void nic_tune_undo(struct nic_tuner *t)
{
	tuning_undo(&t->tuning);
}
