/* SPDX-License-Identifier: MIT */
/*
 * How a client is served:
 *
 *   readable ─▶ in ─▶ lines ─▶ protocol ─▶ out ─▶ writable
 *       │               ▲                   │
 *       │               └── more() is called while an answer is incomplete (more_timer)
 *       └── nothing is read while an answer is incomplete, or while out has OUT_ENOUGH bytes
 */
#include "control/server.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/socket_file.h"
#include "crypto/wipe.h"
#include "wgxdp/limits.h"

#define READ_SIZE 16384
#define OUT_ENOUGH 65536
#define IDLE_NS (10 * NS_PER_S) /* an idle client may be evicted for a new one after this long */
#define BACKLOG 16

struct server_client {
	struct server *server;
	struct server_client *next;
	int fd;
	bool eof;	/* the client has finished sending; its last lines are still answered */
	bool answering; /* more() has the rest of the answer */
	bool ending;	/* the protocol wants it closed once the answers are sent */
	uint64_t active_ns;
	struct buffer in, out;
	char session[]; /* protocol->session_size */
};

struct server {
	struct server_config config;
	struct socket_file file;
	int fd; /* listens */
	struct server_client *clients;
	unsigned client_count;
	struct loop_timer more_timer; /* armed while more() or line() can be called for a client */
};

/* Clients ------------------------------------------------------------------------------------ */

static void close_client(struct server_client *c)
{
	const struct server_config *config = &c->server->config;
	struct server_client **at = &c->server->clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->server->client_count--;
	if (config->protocol->close)
		config->protocol->close(config->ctx, c->session, c);
	loop_delete(config->loop, c->fd);
	close(c->fd);
	buffer_done(&c->in);
	buffer_done(&c->out);
	wipe(c->session, config->protocol->session_size);
	free(c);
}

/* Sends as much of out as the socket accepts. Returns 0, or -errno if the client is gone. */
static int write_out(struct server_client *c)
{
	while (buffer_len(&c->out)) {
		ssize_t n = send(c->fd, c->out.data + c->out.at, buffer_len(&c->out),
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		buffer_consume(&c->out, (size_t)n);
		c->active_ns = loop_now_ns();
	}
	return 0;
}

static bool has_line(const struct server_client *c)
{
	return buffer_len(&c->in) && memchr(c->in.data + c->in.at, '\n', buffer_len(&c->in));
}

/* Returns true if nothing may be read from this client until it has received its answers. */
static bool is_full(const struct server_client *c)
{
	return buffer_len(&c->out) >= OUT_ENOUGH;
}

/* May lines of this client be handled? */
static bool may_read(const struct server_client *c)
{
	return !c->ending && !c->answering && !is_full(c);
}

/* Records the result of line() or more(). */
static void note_result(struct server_client *c, int result)
{
	c->answering = result > 0;
	c->ending |= result < 0;
}

/* Is there a line that may be handled now? */
static bool line_waits(const struct server_client *c)
{
	return may_read(c) && has_line(c);
}

/* Gives whole lines to the protocol, unless too many answers wait to be sent, until the time is
 * over. Returns 0, or -errno if the client must be closed. */
static int read_lines(struct server_client *c, uint64_t until_ns)
{
	const struct server_config *config = &c->server->config;
	bool late = false;

	while (line_waits(c) && !late) {
		char *line = c->in.data + c->in.at;
		size_t len = (size_t)((char *)memchr(line, '\n', buffer_len(&c->in)) - line);

		if (len > config->protocol->line_max)
			return -EMSGSIZE;
		line[len] = '\0';
		note_result(c,
			    config->protocol->line(config->ctx, c->session, c, line, len, &c->out));
		buffer_consume(&c->in, len + 1);
		if (c->out.failed)
			return -ENOMEM;
		late = loop_now_ns() >= until_ns;
	}
	if (!has_line(c) && buffer_len(&c->in) > config->protocol->line_max)
		return -EMSGSIZE;
	return 0;
}

static int read_in(struct server_client *c)
{
	ssize_t n;

	if (!buffer_reserve(&c->in, READ_SIZE))
		return -ENOMEM;
	n = recv(c->fd, c->in.data + c->in.end, READ_SIZE, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	c->eof = n == 0;
	c->in.end += (size_t)n;
	c->active_ns = loop_now_ns();
	return 0;
}

/* Reads and sends as much as is possible until the time is over, then waits for the socket to
 * become readable or writable. Closes a client that is finished. */
static void serve(struct server_client *c, bool readable, uint64_t until_ns)
{
	int err = 0;

	if (readable && !c->eof && may_read(c) && !has_line(c))
		err = read_in(c);
	do {
		err = err ? err : read_lines(c, until_ns);
		err = err ? err : write_out(c);
	} while (!err && line_waits(c) && loop_now_ns() < until_ns);
	if (!err && !buffer_len(&c->out) && !c->answering && !line_waits(c) &&
	    (c->ending || c->eof))
		err = -ECONNRESET;
	if (!err)
		err = loop_modify(c->server->config.loop, c->fd,
				  (c->eof || !may_read(c) || has_line(c) ? 0 : EPOLLIN) |
					  (buffer_len(&c->out) ? EPOLLOUT : 0));
	if (err)
		close_client(c);
	else if ((c->answering && !is_full(c)) || line_waits(c))
		loop_timer_arm(&c->server->more_timer, 0);
}

/* Appends pieces of the answer until out is full or the time is over. */
static void continue_answer(struct server_client *c, uint64_t until_ns)
{
	const struct server_config *config = &c->server->config;

	do {
		note_result(c, config->protocol->more(config->ctx, c->session, &c->out));
	} while (c->answering && !is_full(c) && !c->out.failed && loop_now_ns() < until_ns);
	if (c->out.failed)
		close_client(c);
	else
		serve(c, false, until_ns);
}

static void on_more_timer(void *ctx, uint64_t now_ns)
{
	struct server *s = ctx;

	for (struct server_client *c = s->clients, *next; c; c = next) {
		next = c->next;
		if (c->answering && !is_full(c))
			continue_answer(c, now_ns + PASS_TURN_NS);
		else if (line_waits(c))
			serve(c, false, now_ns + PASS_TURN_NS);
	}
}

static void on_client(void *ctx, int fd, uint32_t events)
{
	struct server_client *c = ctx;

	(void)fd;
	/* EPOLLHUP alone does not close the client, because lines may still be unread. */
	if ((events & EPOLLERR) || ((events & EPOLLHUP) && c->ending))
		close_client(c);
	else
		serve(c, events & (EPOLLIN | EPOLLHUP), loop_now_ns() + PASS_TURN_NS);
}

/* Returns true if @a should be evicted rather than @b: first clients that have received all their
 * answers, then those that were idle longest. */
static bool evict_before(const struct server_client *a, const struct server_client *b)
{
	bool done_a = !buffer_len(&a->out) && !a->answering;
	bool done_b = !buffer_len(&b->out) && !b->answering;

	return done_a != done_b ? done_a : a->active_ns < b->active_ns;
}

/* Makes room for one more client. Returns false if all clients are active. */
static bool evict(struct server *s)
{
	uint64_t now_ns = loop_now_ns();
	struct server_client *victim = NULL;

	if (s->client_count < SERVER_CLIENTS_MAX)
		return true;
	for (struct server_client *c = s->clients; c; c = c->next)
		if (now_ns - c->active_ns >= IDLE_NS && (!victim || evict_before(c, victim)))
			victim = c;
	if (!victim)
		return false;
	close_client(victim);
	return true;
}

static void on_listener(void *ctx, int fd, uint32_t events)
{
	struct server *s = ctx;
	const struct server_protocol *protocol = s->config.protocol;
	int client_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct server_client *c = NULL;

	(void)events;
	if (client_fd < 0)
		return;
	if (evict(s))
		c = calloc(1, sizeof(*c) + protocol->session_size);
	if (!c)
		goto refuse;
	c->server = s;
	c->fd = client_fd;
	c->active_ns = loop_now_ns();
	if (loop_add(s->config.loop, client_fd, EPOLLIN, on_client, c))
		goto refuse;
	if (protocol->open && protocol->open(s->config.ctx, c->session)) {
		loop_delete(s->config.loop, client_fd);
		goto refuse;
	}
	c->next = s->clients;
	s->clients = c;
	s->client_count++;
	return;
refuse:
	free(c);
	close(client_fd);
}

/* -------------------------------------------------------------------------------------------- */

int server_new(struct server **s, const struct server_config *config, struct fault *f)
{
	struct server *n = calloc(1, sizeof(*n));
	int err;

	if (!n)
		return fault(f, -ENOMEM, "%s: out of memory", config->path);
	n->config = *config;
	n->fd = config->inherited_fd;
	loop_timer_init(&n->more_timer, config->loop, on_more_timer, n);
	err = socket_file_init(&n->file, config->path, f);
	if (!err && n->fd < 0)
		err = socket_file_bind(&n->file, config->directory_mode, &n->fd, f);
	if (err)
		goto fail;
	err = socket_file_watch(&n->file, config->loop, config->deleted, config->ctx);
	if (!err && listen(n->fd, BACKLOG) != 0)
		err = -errno;
	if (!err)
		err = loop_add(config->loop, n->fd, EPOLLIN, on_listener, n);
	if (err) {
		fault(f, err, "%s: %s", config->path, strerror(-err));
		goto fail;
	}
	*s = n;
	return 0;
fail:
	server_free(n);
	return err;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	for (struct server_client *c = s->clients, *next; c; c = next) {
		next = c->next;
		close_client(c);
	}
	loop_timer_done(&s->more_timer);
	socket_file_done(&s->file);
	if (s->fd >= 0) {
		loop_delete(s->config.loop, s->fd);
		close(s->fd);
	}
	free(s);
}

void server_send(struct server_client *client, const void *data, size_t n)
{
	buffer_append(&client->out, data, n);
	if (client->out.failed)
		close_client(client);
	else
		serve(client, false, loop_now_ns() + PASS_TURN_NS);
}

void server_flush(struct server *s, unsigned timeout_ms)
{
	uint64_t until_ns = loop_now_ns() + timeout_ms * NS_PER_MS, now_ns;
	struct server_client *c, *next;

	for (c = s->clients; c; c = next) {
		struct pollfd p = { .fd = c->fd, .events = POLLOUT };

		next = c->next;
		while (buffer_len(&c->out) && (now_ns = loop_now_ns()) < until_ns) {
			poll(&p, 1, (int)((until_ns - now_ns) / NS_PER_MS) + 1);
			if (write_out(c))
				break;
		}
	}
}
