/* SPDX-License-Identifier: MIT */
/* aead_trial.h - how fast the backends are on this machine. Private to user/crypto/aead*.c. */
#ifndef WGXDP_AEAD_TRIAL_H
#define WGXDP_AEAD_TRIAL_H

#include "crypto/aead.h"

/* Sets @ns[i] to the time in which @backends[i] seals a few full packets, in ns. @n: length of both
 * arrays. Takes about 1 ms per backend on real hardware. Any thread may call it. */
void aead_trial(const struct aead_backend *const *backends, size_t n, uint64_t *ns);

#endif
