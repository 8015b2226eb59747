/* SPDX-License-Identifier: MIT */
/*
 * own_run.h - gives a test a network namespace and a /run of its own, so that the test does not
 * depend on whether a daemon has already made /run/wgxdp on this machine. Both end with the test.
 * Needs root.
 */
#ifndef OWN_RUN_H
#define OWN_RUN_H

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "wgxdp/control.h"

static inline void own_run_setup(void)
{
	assert_int_equal(unshare(CLONE_NEWNET | CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("run", "/run", "tmpfs", 0, NULL), 0);
	assert_int_equal(mkdir(CONTROL_DIRECTORY, 0700), 0);
}

#endif
