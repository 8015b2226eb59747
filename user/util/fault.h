/* SPDX-License-Identifier: MIT */
/*
 * fault.h - what went wrong, for a person: one sentence with place, value and remedy. Setup code
 * returns -errno and fills a fault; whoever talks to the user prints it once. Not for the data path.
 */
#ifndef WGXDP_FAULT_H
#define WGXDP_FAULT_H

#include <stdio.h>

struct fault {
	char text[512];
};

/* Writes the sentence (printf style), without newline or program name, and returns @err. @f may be
 * NULL. Example: fault(f, -ENODEV, "%s: no such interface; see `ip link`", name) */
#define fault(f, err, ...)                                                                         \
	({                                                                                         \
		int fault_err_ = (err);                                                            \
		struct fault *fault_f_ = (f);                                                      \
		if (fault_f_)                                                                      \
			snprintf(fault_f_->text, sizeof(fault_f_->text), __VA_ARGS__);             \
		fault_err_;                                                                        \
	})

#endif
