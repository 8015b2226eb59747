/* SPDX-License-Identifier: MIT */
/*
 * cli.h - the verbs of the command, and helpers that the verbs share. Each X_main gets an argv that
 * begins with the verb as the user typed it, and returns the exit code.
 */
#ifndef WGXDP_CLI_H
#define WGXDP_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "dataplane/options.h"
#include "util/fault.h"
#include "wgxdp/limits.h"

/* CLI_CONFIG: attach or check found the config file missing or wrong, so a service manager need not
 * try again. The value is EX_CONFIG of sysexits.h, which systemd shows as "CONFIG". */
enum cli_exit { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_CONFIG = 78 };

int attach_main(int argc, char **argv);	 /* attach.c */
int detach_main(int argc, char **argv);	 /* detach.c */
int confirm_main(int argc, char **argv); /* confirm.c */
int reload_main(int argc, char **argv);	 /* reload.c */
int save_main(int argc, char **argv);	 /* save.c */
int strip_main(int argc, char **argv);	 /* strip.c */
int show_main(int argc, char **argv);	 /* show.c */
int set_main(int argc, char **argv);	 /* set.c */
int logs_main(int argc, char **argv);	 /* logs.c */
int check_main(int argc, char **argv);	 /* check.c */
int probe_main(int argc, char **argv);	 /* probe.c */
int genkey_main(int argc, char **argv);	 /* keys.c */
int genpsk_main(int argc, char **argv);
int pubkey_main(int argc, char **argv);
/* `wgxdp [-f|--foreground] IFACE`, in iface.c. argv begins with the program's name. */
int iface_main(int argc, char **argv);

/* Removes the first "--" from the *@argc words at @argv. The arguments after "--" are not options,
 * even if they begin with "-". */
void cli_end_options(int *argc, char **argv);
/* Returns true if *@arg begins with "-", unless it followed the "--" that cli_end_options() has
 * removed. @arg must point into the argv that cli_end_options() got. */
bool cli_is_option(char *const *arg);
/* Returns a hint to append to an error about @arg: write "--" before the name of an interface that
 * begins with "-". Returns "" if @arg is NULL or does not begin with exactly one "-". */
const char *cli_dash_hint(const char *arg);
/* Prints "usage: wgxdp @usage" and cli_dash_hint(@arg) to stderr. Returns CLI_USAGE. */
int cli_usage(const char *usage, const char *arg);

/* Prints "wgxdp: SENTENCE\n" to stderr and returns @exit. */
int cli_fail(int exit, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints "wgxdp: warning: SENTENCE\n" to stderr. Has the type conf_warn_fn; @ctx is not used. */
void cli_warn(void *ctx, const char *sentence);

/* Sends @request to the daemon of the interface that @word names (an interface, or the path of a
 * config file), and waits for each part of the reply for up to @timeout_s. Releases @request.
 * Returns CLI_OK with the name in @interface and a new reference in *@reply, or CLI_FAILED after it
 * has printed the reason. */
int cli_ask(const char *word, json_t *request, unsigned timeout_s,
	    char interface[static IFNAME_MAX + 1], json_t **reply);

/* Sets every option to its default value. */
void options_default(struct options *o);

/* Parses the arguments of attach: [NIC[,NIC...]] CONF, with options anywhere. argv[0] is the verb.
 * *@conf points into argv. o->interface is not changed. Returns 0, or CLI_USAGE with @f filled
 * in. */
int options_parse(struct options *o, int argc, char **argv, const char **conf, struct fault *f);

/* Sets the NICs of @o from a list such as "eth0,eth1". Returns 0, or CLI_USAGE with @f filled
 * in. */
int options_set_nics(struct options *o, const char *list, struct fault *f);

/* Sets the NICs of @o from the environment variable WGXDP_NIC: a list of NICs, or "none" to use
 * only the UDP sockets. If the variable is not set or is "auto", leaves the list of NICs empty, so
 * that the routes determine the NICs. Returns 0, or CLI_USAGE with @f filled in. */
int options_read_nics(struct options *o, struct fault *f);

/* Sets the options of attach that are in the environment variable WGXDP_OPTIONS, separated by
 * blanks. Returns 0, or CLI_USAGE with @f filled in. */
int options_read_variable(struct options *o, struct fault *f);

/* Prints the list of options for `wgxdp --help`. */
void options_help(FILE *out);
/* Write parts of the bash completion: the names of all options, and a `case $prev` branch for each
 * option with a list of values. */
void options_complete_names(FILE *out);
void options_complete_values(FILE *out);

/* Writes the reply to CONTROL_OP_SHOW (control.h) as readable text. @now is the Unix time. */
void show_print(FILE *out, const json_t *interface, long long now);

#endif
