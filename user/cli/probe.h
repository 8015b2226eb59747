/* SPDX-License-Identifier: MIT */
/* probe.h - the output of `wgxdp probe`: a JSON object, and text made from the object. */
#ifndef WGXDP_PROBE_H
#define WGXDP_PROBE_H

#include <jansson.h>
#include <stdio.h>

#include "dataplane/nic_advice.h"

/* Returns a new JSON object with the members that man/wgxdp.8 lists (PROBE OUTPUT), or NULL if out
 * of memory. */
json_t *probe_json(const struct nic_facts *facts, const struct nic_judgement *judgement);

/* Writes the object as readable text. */
void probe_print(FILE *out, const json_t *nic);

#endif
