/* SPDX-License-Identifier: MIT */
/*
 * local_route.h - waits for the local route of a new IPv6 address. The kernel adds this route later
 * than the address, by a work queue. Until then the kernel drops packets to the address.
 */
#ifndef TESTS_LOCAL_ROUTE_H
#define TESTS_LOCAL_ROUTE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Fails the test if @address, written as `ip` writes it, has no local route in this namespace
 * within 10 s. */
static inline void wait_for_local_route(const char *address)
{
	char command[160];

	snprintf(command, sizeof(command),
		 "timeout 10 sh -c 'until ip -6 route show table local | grep -q \"^local %s \"; "
		 "do sleep 0.01; done'",
		 address);
	if (system(command))
		fail_msg("%s has no local route", address);
}

#endif
