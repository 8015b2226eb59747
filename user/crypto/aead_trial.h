/* SPDX-License-Identifier: MIT */
/* aead_trial.h - how fast a backend is on this machine. Private to user/crypto/aead*.c. */
#ifndef WGXDP_AEAD_TRIAL_H
#define WGXDP_AEAD_TRIAL_H

#include "crypto/aead.h"

/* Returns how long @b takes to seal a few full packets, in ns. On hardware the measurement takes
 * about 0.1 ms. Any thread. */
uint64_t aead_trial_ns(const struct aead_backend *b);

#endif
