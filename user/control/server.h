/* SPDX-License-Identifier: MIT */
/*
 * server.h - a Unix stream socket with a line-based protocol, served by the event loop of
 * the control thread.
 *
 *   connect ─▶ open ─▶ line, line, ... ─▶ replies are sent as the client reads them ─▶ close
 *
 * No client can block the thread: sockets are non-blocking, the length of a line is limited, and
 * while a client does not read its answers, no further line of this client is read. A long answer
 * is made in pieces as the client reads them. In one iteration of the loop, the
 * server spends at most twice PASS_TURN_NS on each client.
 *
 * The answers of a client are in the order of its lines, because a line is handled only after the
 * answer to the previous line is complete. The protocol may defer the answer to a line and complete
 * it later by server_send().
 *
 * When SERVER_CLIENTS_MAX clients are connected, a new client evicts an idle client, unless the
 * idle client waits for a deferred answer. If no client can be evicted, the new client waits in the
 * backlog until a client is closed or idle. A client that hangs up while it waits for a deferred
 * answer is closed, and its further lines are not handled.
 */
#ifndef WGXDP_SERVER_H
#define WGXDP_SERVER_H

#include <stddef.h>
#include <sys/types.h>

#include "util/buffer.h"
#include "util/fault.h"
#include "util/loop.h"

#define SERVER_CLIENTS_MAX 32

struct server;
struct server_client;

/* Results of struct server_protocol's line() and more(), besides 0 and -errno. */
#define SERVER_MORE 1  /* more() appends the rest of the answer */
#define SERVER_LATER 2 /* server_send() appends the rest of the answer */

struct server_protocol {
	size_t line_max;     /* bytes without the newline; a longer line closes the connection */
	size_t session_size; /* bytes of zeroed memory for each connection, at least 1 */
	/* A connection begins. Returns 0, or -errno to close the connection. May be NULL. */
	int (*open)(void *ctx, void *session);
	/* Handles one line, whose newline is replaced by NUL. The function appends its answer to
	 * @reply. It returns 0; SERVER_MORE or SERVER_LATER if the rest of the answer must be
	 * appended before any further line is handled; or -errno to close the connection after
	 * @reply has been sent. */
	int (*line)(void *ctx, void *session, struct server_client *client, char *line, size_t len,
		    struct buffer *reply);
	/* Does the next short piece of the work, and appends the next piece of the answer.
	 * Returns the same values as line(). NULL if line() never returns SERVER_MORE. */
	int (*more)(void *ctx, void *session, struct buffer *reply);
	/* The connection has ended. @session is wiped afterwards. May be NULL. */
	void (*close)(void *ctx, void *session, struct server_client *client);
};

struct server_config {
	struct loop *loop;
	const char *path;      /* absolute path; at most 107 bytes */
	mode_t directory_mode; /* mode of the file's directory, which is created if it is missing */
	int inherited_fd;      /* an inherited socket that is bound to @path; -1 = create one */
	const struct server_protocol *protocol;
	void *ctx; /* argument of deleted() and of the functions in @protocol */
	/* Called once, from the loop, when the socket file was deleted or replaced. May be NULL. */
	void (*deleted)(void *ctx);
};

/* Creates the socket and listens. Replaces a stale socket file. Returns 0, or -errno with @f filled
 * in: -EADDRINUSE (another process listens at the path), -EACCES, -ENAMETOOLONG. */
int server_new(struct server **s, const struct server_config *config, struct fault *f);

/* Closes all connections, and unlinks the socket file if it is still ours. Does nothing if @s is
 * NULL. */
void server_free(struct server *s);

/* Completes the answer to the line for which line() returned SERVER_LATER: appends the contents of
 * @answer, which the caller still owns. Later the loop sends the answer, or closes the client if
 * answer->failed is set or memory ran out. server_send() itself closes no client and handles no
 * line, so every callback may call it. Call it only once for a line, and not after the client's
 * close callback. */
void server_send(struct server_client *client, const struct buffer *answer);

/* Stops the handling of lines: no further line of any client is handled, and an answer that
 * more() has not completed stays incomplete. server_send() and server_flush() still send
 * deferred answers. */
void server_stop(struct server *s);

/* Sends all pending answers, and waits at most @timeout_ms until the clients have received them.
 * Used when the daemon ends and the loop no longer runs. */
void server_flush(struct server *s, unsigned timeout_ms);

#endif
