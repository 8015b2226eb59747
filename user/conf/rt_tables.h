/* SPDX-License-Identifier: MIT */
/*
 * rt_tables.h - looks up the names of routing tables, like ip(8). Private to user/conf.
 */
#ifndef WGXDP_RT_TABLES_H
#define WGXDP_RT_TABLES_H

#include <stdbool.h>
#include <stdint.h>

/* Looks for @name first among "main", "local" and "default", then in /etc/iproute2,
 * /usr/share/iproute2 and /usr/lib/iproute2: in each of these, in the file rt_tables and in the
 * *.conf files of the folder rt_tables.d. Returns false with @id unchanged if the name is in none
 * of them. Reads files, so the call may block briefly. */
bool rt_tables_find(const char *name, uint32_t *id) __attribute__((warn_unused_result));

/* Looks up @name in one file, whose lines are "number name" with a number in decimal or with 0x.
 * Returns false with @id unchanged if the file does not have the name. */
bool rt_tables_find_in(const char *path, const char *name, uint32_t *id)
	__attribute__((warn_unused_result));

#endif
