/* SPDX-License-Identifier: MIT */
/*
 * How a client is served through its buffers `in` and `out`:
 *
 *   readable ─▶ in ─▶ lines ─▶ protocol ─▶ out ─▶ writable
 *       │                          ▲         ▲
 *       │                          │         └── server_send() appends a deferred answer
 *       │                          └── more() is called while an answer is incomplete
 *       └── nothing is read while an answer is incomplete or deferred, or while `out`
 *           has OUT_ENOUGH bytes
 *
 * Only callbacks of the loop handle lines. While a line of one client is handled, server_send() may
 * complete a deferred answer of another client, but only appends the answer. A later callback of
 * the loop sends the answer and handles the other client's next line. So handling a line of one
 * client never closes another client.
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
#define IDLE_NS (10 * NS_PER_S) /* after this idle time, a client may be evicted for a new client */
#define BACKLOG 16
#define PAUSE_NS NS_PER_S /* pause before the server tries to accept a connection again */

enum client_state {
	READS,	   /* the server handles the next line of the client */
	CONTINUES, /* more() makes the rest of the answer */
	WAITS,	   /* server_send() will append the answer */
	ANSWERED,  /* server_send() has appended the answer; the loop will send it */
};

struct server_client {
	struct server *server;
	struct server_client *next;
	int fd;
	enum client_state state;
	bool eof;    /* the client has finished sending; its last lines are still answered */
	bool ending; /* the protocol wants the client closed after its answers are sent */
	uint64_t active_ns;
	struct buffer in, out;
	char session[]; /* protocol->session_size bytes */
};

struct server {
	struct server_config config;
	struct socket_file file;
	int fd; /* the listening socket */
	struct server_client *clients;
	unsigned client_count;
	struct loop_timer work_timer;  /* armed if a client has work that no event will start */
	struct loop_timer pause_timer; /* armed while the server accepts no connection */
	bool stopped;		       /* no line is handled any more */
};

/* Clients ------------------------------------------------------------------------------------ */

/* Accepts no connection until a client is closed or PAUSE_NS have passed. New connections wait in
 * the backlog. */
static void pause_accepting(struct server *s)
{
	loop_modify(s->config.loop, s->fd, 0);
	loop_timer_arm(&s->pause_timer, loop_now_ns() + PAUSE_NS);
}

static void resume_accepting(struct server *s)
{
	if (loop_timer_armed(&s->pause_timer))
		loop_modify(s->config.loop, s->fd, EPOLLIN);
	loop_timer_cancel(&s->pause_timer);
}

static void on_pause_timer(void *ctx, uint64_t now_ns)
{
	struct server *s = ctx;

	(void)now_ns;
	loop_modify(s->config.loop, s->fd, EPOLLIN);
}

static void close_client(struct server_client *c)
{
	const struct server_config *config = &c->server->config;
	struct server_client **at = &c->server->clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->server->client_count--;
	resume_accepting(c->server);
	if (config->protocol->close)
		config->protocol->close(config->ctx, c->session, c);
	loop_delete(config->loop, c->fd);
	close(c->fd);
	buffer_done(&c->in);
	buffer_done(&c->out);
	wipe(c->session, config->protocol->session_size);
	free(c);
}

/* Sends as much of c->out as the socket accepts. Returns 0, or -errno if the client is gone. */
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

/* Returns true if nothing may be read from this client until it receives more of its answers. */
static bool is_full(const struct server_client *c)
{
	return buffer_len(&c->out) >= OUT_ENOUGH;
}

/* Returns true if no further line of this client will be handled. */
static bool lines_are_over(const struct server_client *c)
{
	return c->ending || c->server->stopped;
}

/* Returns true if lines of this client may be handled now. */
static bool may_read(const struct server_client *c)
{
	return !lines_are_over(c) && c->state == READS && !is_full(c);
}

/* Returns true if more() may be called now. */
static bool may_continue(const struct server_client *c)
{
	return !lines_are_over(c) && c->state == CONTINUES && !is_full(c);
}

/* Records the result of line() or more(). */
static void note_result(struct server_client *c, int result)
{
	c->state = result == SERVER_MORE ? CONTINUES : result == SERVER_LATER ? WAITS : READS;
	c->ending |= result < 0;
}

/* Returns true if the client has a line that may be handled now. */
static bool line_waits(const struct server_client *c)
{
	return may_read(c) && has_line(c);
}

/* Gives whole lines to the protocol until @until_ns or until too many answers wait to be sent.
 * Returns 0, or -errno if the client must be closed. */
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

/* Reads from the socket at most once, and only if @readable. Then handles lines and sends answers
 * until @until_ns, or until no more is possible. Then sets the events for which the loop waits, or
 * closes the client if it is finished or has failed. */
static void serve(struct server_client *c, bool readable, uint64_t until_ns)
{
	int err = c->out.failed ? -ENOMEM : 0;

	if (c->state == ANSWERED)
		c->state = READS;
	if (!err && readable && !c->eof && may_read(c) && !has_line(c))
		err = read_in(c);
	do {
		err = err ? err : read_lines(c, until_ns);
		err = err ? err : write_out(c);
	} while (!err && line_waits(c) && loop_now_ns() < until_ns);
	if (!err && !buffer_len(&c->out) && c->state == READS && !line_waits(c) &&
	    (c->ending || c->eof))
		err = -ECONNRESET;
	if (!err)
		err = loop_modify(c->server->config.loop, c->fd,
				  (c->eof || !may_read(c) || has_line(c) ? 0 : EPOLLIN) |
					  (buffer_len(&c->out) ? EPOLLOUT : 0));
	if (err)
		close_client(c);
	else if (may_continue(c) || line_waits(c))
		loop_timer_arm(&c->server->work_timer, 0);
}

/* Appends pieces of the answer until c->out is full or until @until_ns, and sends them. */
static void continue_answer(struct server_client *c, uint64_t until_ns)
{
	const struct server_config *config = &c->server->config;

	do {
		note_result(c, config->protocol->more(config->ctx, c->session, &c->out));
	} while (may_continue(c) && !c->out.failed && loop_now_ns() < until_ns);
	serve(c, false, until_ns);
}

static void on_work_timer(void *ctx, uint64_t now_ns)
{
	struct server *s = ctx;

	for (struct server_client *c = s->clients, *next; c; c = next) {
		next = c->next; /* serving a client closes no other client, so @next stays valid */
		if (may_continue(c))
			continue_answer(c, now_ns + PASS_TURN_NS);
		else if (c->state == ANSWERED || line_waits(c))
			serve(c, false, now_ns + PASS_TURN_NS);
	}
}

static void on_client(void *ctx, int fd, uint32_t events)
{
	struct server_client *c = ctx;

	(void)fd;
	/* A client that has hung up can receive no answer. But the lines that it sent are still
	 * handled, unless it waits for a deferred answer. */
	if ((events & EPOLLERR) ||
	    ((events & EPOLLHUP) && (lines_are_over(c) || c->state == WAITS)))
		close_client(c);
	else
		serve(c, events & (EPOLLIN | EPOLLHUP), loop_now_ns() + PASS_TURN_NS);
}

/* Returns true if @a should be evicted rather than @b. A client that has received all its answers
 * is evicted before one that has not. If this does not decide, the client that was idle longer is
 * evicted. */
static bool evict_before(const struct server_client *a, const struct server_client *b)
{
	bool done_a = !buffer_len(&a->out) && a->state == READS;
	bool done_b = !buffer_len(&b->out) && b->state == READS;

	return done_a != done_b ? done_a : a->active_ns < b->active_ns;
}

/* A client that waits for a deferred answer is never evicted. */
static bool may_evict(const struct server_client *c, uint64_t now_ns)
{
	return c->state != WAITS && c->state != ANSWERED && now_ns - c->active_ns >= IDLE_NS;
}

/* Returns the client that a new client replaces, or NULL if no client may be evicted. */
static struct server_client *find_victim(const struct server *s)
{
	uint64_t now_ns = loop_now_ns();
	struct server_client *victim = NULL;

	for (struct server_client *c = s->clients; c; c = c->next)
		if (may_evict(c, now_ns) && (!victim || evict_before(c, victim)))
			victim = c;
	return victim;
}

static void on_listener(void *ctx, int fd, uint32_t events)
{
	struct server *s = ctx;
	const struct server_protocol *protocol = s->config.protocol;
	bool full = s->client_count >= SERVER_CLIENTS_MAX;
	struct server_client *victim = full ? find_victim(s) : NULL, *c;
	int client_fd = -1;

	(void)events;
	if (!full || victim)
		client_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (client_fd < 0) {
		pause_accepting(s);
		return;
	}
	if (victim)
		close_client(victim);
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
	loop_timer_init(&n->work_timer, config->loop, on_work_timer, n);
	loop_timer_init(&n->pause_timer, config->loop, on_pause_timer, n);
	err = socket_file_init(&n->file, config->path, f);
	if (!err && n->fd < 0)
		err = socket_file_bind(&n->file, config->directory_mode, &n->fd, f);
	else if (!err)
		err = socket_file_adopt(&n->file, n->fd, f);
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
	loop_timer_done(&s->work_timer);
	loop_timer_done(&s->pause_timer);
	socket_file_done(&s->file);
	if (s->fd >= 0) {
		loop_delete(s->config.loop, s->fd);
		close(s->fd);
	}
	free(s);
}

void server_send(struct server_client *client, const struct buffer *answer)
{
	buffer_append(&client->out, answer->data + answer->at, buffer_len(answer));
	client->out.failed |= answer->failed;
	client->state = ANSWERED;
	loop_timer_arm(&client->server->work_timer, 0);
}

void server_stop(struct server *s)
{
	s->stopped = true;
}

void server_flush(struct server *s, unsigned timeout_ms)
{
	uint64_t until_ns = loop_now_ns() + timeout_ms * NS_PER_MS, now_ns;
	struct pollfd fds[SERVER_CLIENTS_MAX];
	nfds_t count;

	for (;;) {
		count = 0;
		for (struct server_client *c = s->clients; c; c = c->next)
			if (write_out(c) == 0 && buffer_len(&c->out))
				fds[count++] = (struct pollfd){ .fd = c->fd, .events = POLLOUT };
		now_ns = loop_now_ns();
		if (!count || now_ns >= until_ns)
			break;
		poll(fds, count, (int)((until_ns - now_ns) / NS_PER_MS) + 1);
	}
}
