// SPDX-License-Identifier: MIT
/*
 * udpblast - sends UDP at a given rate, counts the datagrams that arrive, and measures round trips.
 * tools/bench uses it as the load for a tunnel. One system call sends up to 64 datagrams, so that
 * udpblast needs less CPU time than the tunnel that it measures.
 *
 *   udpblast send ADDRESS PORT [--length N] [--rate PPS] [--seconds S] [--segment]
 *   udpblast recv PORT [--gro]
 *   udpblast rtt  ADDRESS PORT [--length N] [--rate PPS] [--seconds S]
 *   udpblast echo PORT
 *
 * recv and echo run until SIGTERM. Each command prints one line of JSON. With --segment, the kernel
 * cuts one large message into datagrams (UDP_SEGMENT); with --gro, it may join datagrams into one
 * received message (UDP_GRO). Without --rate, `send` does not pause, and `rtt` sends 1,000
 * datagrams per second. ADDRESS may be several addresses, separated by commas: `send` without
 * --segment sends to each of them in turn; `send` with --segment, and `rtt`, use only the first.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum {
	BATCH = 64,	 /* datagrams that one call sends, or messages that it receives */
	BUFFER = 65536,	 /* bytes of the largest message that UDP_GRO can return */
	LARGEST = 65507, /* UDP's largest payload over IPv4 */
	TARGETS = 1024,
	SAMPLES = 1 << 20, /* the most round trips that are recorded */
	PAUSE_NS = 100000, /* shortest sleep between two bursts at a given rate */
	REPLY_WAIT_NS = 300000000,
};

/* Every datagram begins with this stamp, so the shortest datagram has 16 bytes. */
struct stamp {
	uint64_t sequence;
	uint64_t sent_ns;
};

struct options {
	size_t length;
	uint64_t rate; /* datagrams per second; 0 = the default */
	double seconds;
	bool segment, gro;
	struct sockaddr_in to[TARGETS];
	unsigned targets;
	uint16_t port;
};

static volatile sig_atomic_t stopped;

static void on_signal(int signal_number)
{
	(void)signal_number;
	stopped = 1;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
	struct timespec t = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void die(const char *what)
{
	fprintf(stderr, "udpblast: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_socket(uint16_t port, bool gro)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct timeval patience = {
		.tv_usec = 100000
	}; /* so that a signal just before a receive is noticed after 100 ms */
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), bytes = 8 << 20, on = 1;

	if (fd < 0)
		die("socket");
	/* Without CAP_NET_ADMIN the buffers keep their default size, and more datagrams are
	 * lost. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		die("SO_RCVTIMEO");
	if (gro && setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on)))
		die("UDP_GRO");
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)))
		die("bind");
	return fd;
}

/* --- send ------------------------------------------------------------------------------------- */

static void put_stamp(uint8_t *datagram, uint64_t sequence)
{
	struct stamp stamp = { .sequence = sequence, .sent_ns = now_ns() };

	memcpy(datagram, &stamp, sizeof(stamp));
}

/* Sends @count datagrams with one system call, to the targets in turn. Returns how many the kernel
 * accepted. */
static unsigned send_singly(int fd, const struct options *o, uint64_t sequence, unsigned count)
{
	static uint8_t data[BATCH][BUFFER];
	struct mmsghdr messages[BATCH] = { 0 };
	struct iovec vectors[BATCH];
	unsigned targets = o->targets ? o->targets : 1;
	int n;

	for (unsigned i = 0; i < count; i++) {
		put_stamp(data[i], sequence + i);
		vectors[i] = (struct iovec){ .iov_base = data[i], .iov_len = o->length };
		messages[i].msg_hdr = (struct msghdr){
			.msg_name = (void *)&o->to[(sequence + i) % targets],
			.msg_namelen = sizeof(o->to[0]),
			.msg_iov = &vectors[i],
			.msg_iovlen = 1,
		};
	}
	n = sendmmsg(fd, messages, count, 0);
	if (n < 0 && errno != ENOBUFS && errno != EAGAIN)
		die("sendmmsg");
	return n < 0 ? 0 : (unsigned)n;
}

/* Sends @count datagrams to the first target with one sendto() (UDP_SEGMENT). Returns @count, or 0
 * if the kernel refused them for now. */
static unsigned send_train(int fd, const struct options *o, uint64_t sequence, unsigned count)
{
	static uint8_t data[LARGEST];

	for (unsigned i = 0; i < count; i++)
		put_stamp(data + i * o->length, sequence + i);
	if (sendto(fd, data, count * o->length, 0, (const struct sockaddr *)&o->to[0],
		   sizeof(o->to[0])) < 0) {
		if (errno != ENOBUFS && errno != EAGAIN)
			die("sendto with UDP_SEGMENT");
		return 0;
	}
	return count;
}

static unsigned burst_limit(const struct options *o)
{
	unsigned fits = o->segment ? LARGEST / o->length : BATCH;

	return fits < BATCH ? fits : BATCH;
}

/* Returns how many datagrams to send now, at most one burst. If none is due, sleeps until the next
 * one is due and returns 0. */
static unsigned wait_for_turn(const struct options *o, uint64_t start, uint64_t sent)
{
	unsigned limit = burst_limit(o);
	uint64_t due;

	if (!o->rate)
		return limit;
	due = (uint64_t)((double)(now_ns() - start) * (double)o->rate / 1e9);
	if (due <= sent) {
		uint64_t next = start + (uint64_t)((double)(sent + 1) * 1e9 / (double)o->rate);
		uint64_t soonest = now_ns() + PAUSE_NS;

		sleep_until(next > soonest ? next : soonest);
		return 0;
	}
	return due - sent < limit ? (unsigned)(due - sent) : limit;
}

static int run_send(const struct options *o)
{
	int fd = open_socket(0, false), segment = (int)o->length;
	uint64_t start, end, sent = 0;

	if (o->segment && setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment)))
		die("UDP_SEGMENT");
	start = now_ns();
	end = start + (uint64_t)(o->seconds * 1e9);
	while (!stopped && now_ns() < end) {
		unsigned count = wait_for_turn(o, start, sent);

		if (count)
			sent += o->segment ? send_train(fd, o, sent, count)
					   : send_singly(fd, o, sent, count);
	}
	printf("{\"sent\": %llu, \"seconds\": %.6f}\n", (unsigned long long)sent,
	       (double)(now_ns() - start) / 1e9);
	return 0;
}

/* --- recv ------------------------------------------------------------------------------------- */

struct count {
	uint64_t packets, bytes, reordered, first_ns, last_ns, next;
};

static void count_datagram(struct count *c, const uint8_t *data)
{
	struct stamp stamp;

	memcpy(&stamp, data, sizeof(stamp));
	c->packets++;
	if (stamp.sequence < c->next)
		c->reordered++;
	else
		c->next = stamp.sequence + 1;
}

/* Returns the length of each of the datagrams that the kernel joined (UDP_GRO), or @length if it
 * joined none. */
static size_t segment_length(struct msghdr *message, size_t length)
{
	int size;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
			memcpy(&size, CMSG_DATA(c), sizeof(size));
			return (size_t)size;
		}
	return length;
}

static void count_message(struct count *c, struct mmsghdr *message)
{
	const uint8_t *data = message->msg_hdr.msg_iov->iov_base;
	size_t length = message->msg_len, step = segment_length(&message->msg_hdr, length);

	c->bytes += length;
	for (size_t at = 0; at + sizeof(struct stamp) <= length && step; at += step)
		count_datagram(c, data + at);
}

static int run_recv(const struct options *o)
{
	static uint8_t data[BATCH][BUFFER], control[BATCH][CMSG_SPACE(sizeof(int))];
	struct mmsghdr messages[BATCH] = { 0 };
	struct iovec vectors[BATCH];
	struct count c = { 0 };
	int fd = open_socket(o->port, o->gro), n;
	double seconds;

	while (!stopped) {
		for (unsigned i = 0; i < BATCH; i++) {
			vectors[i] = (struct iovec){ .iov_base = data[i], .iov_len = BUFFER };
			messages[i].msg_hdr =
				(struct msghdr){ .msg_iov = &vectors[i],
						 .msg_iovlen = 1,
						 .msg_control = control[i],
						 .msg_controllen = sizeof(control[i]) };
		}
		n = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
		if (n <= 0)
			continue;
		c.last_ns = now_ns();
		if (!c.packets)
			c.first_ns = c.last_ns;
		for (int i = 0; i < n; i++)
			count_message(&c, &messages[i]);
	}
	seconds = (double)(c.last_ns - c.first_ns) / 1e9;
	printf("{\"received\": %llu, \"bytes\": %llu, \"reordered\": %llu, \"seconds\": %.6f}\n",
	       (unsigned long long)c.packets, (unsigned long long)c.bytes,
	       (unsigned long long)c.reordered, seconds);
	return 0;
}

/* --- round trips ------------------------------------------------------------------------------ */

static int run_echo(const struct options *o)
{
	static uint8_t data[BUFFER];
	int fd = open_socket(o->port, false);
	uint64_t answered = 0;

	while (!stopped) {
		struct sockaddr_in from;
		socklen_t from_length = sizeof(from);
		ssize_t n =
			recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &from_length);

		if (n > 0 &&
		    sendto(fd, data, (size_t)n, 0, (struct sockaddr *)&from, from_length) == n)
			answered++;
	}
	printf("{\"answered\": %llu}\n", (unsigned long long)answered);
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void print_round_trips(uint64_t *ns, size_t n, uint64_t sent)
{
	size_t middle = n / 2, last_but_few = n * 99 / 100;

	qsort(ns, n, sizeof(*ns), compare);
	printf("{\"sent\": %llu, \"answered\": %zu, "
	       "\"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}\n",
	       (unsigned long long)sent, n, n ? (double)ns[middle] / 1e3 : 0.0,
	       n ? (double)ns[last_but_few] / 1e3 : 0.0, n ? (double)ns[n - 1] / 1e3 : 0.0);
}

/* Reads all answers that have arrived, and appends their round-trip times to @samples, which
 * already has @n. Returns the new number of samples. */
static size_t take_answers(int fd, uint64_t *samples, size_t n)
{
	static uint8_t data[BUFFER];
	struct stamp stamp;

	while (n < SAMPLES &&
	       recv(fd, data, sizeof(data), MSG_DONTWAIT) >= (ssize_t)sizeof(stamp)) {
		memcpy(&stamp, data, sizeof(stamp));
		samples[n++] = now_ns() - stamp.sent_ns;
	}
	return n;
}

/* Sends at the given rate and does not wait for answers, so that a slow answer does not delay the
 * measurement of later ones. */
static int run_rtt(const struct options *o)
{
	static uint64_t samples[SAMPLES];
	static uint8_t data[BUFFER];
	int fd = open_socket(0, false);
	uint64_t gap = 1000000000 / (o->rate ? o->rate : 1000), next = now_ns(), sent = 0;
	uint64_t end = next + (uint64_t)(o->seconds * 1e9);
	size_t n = 0;

	while (!stopped && now_ns() < end + REPLY_WAIT_NS && !(n == sent && now_ns() > end)) {
		uint64_t now = now_ns(), until = now < end ? next : end + REPLY_WAIT_NS;
		uint64_t wait = until > now ? until - now : 0;
		struct timespec timeout = { .tv_sec = wait / 1000000000,
					    .tv_nsec = wait % 1000000000 };
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

		if (now < end && now >= next) {
			put_stamp(data, sent);
			if (sendto(fd, data, o->length, 0, (const struct sockaddr *)&o->to[0],
				   sizeof(o->to[0])) > 0)
				sent++;
			next += gap;
			continue;
		}
		ppoll(&poll_fd, 1, &timeout, NULL);
		n = take_answers(fd, samples, n);
	}
	print_round_trips(samples, n, sent);
	return 0;
}

/* --- the command ------------------------------------------------------------------------------ */

static int usage(void)
{
	fprintf(stderr,
		"usage: udpblast send|rtt ADDRESS[,ADDRESS...] PORT [--length N] [--rate PPS] "
		"[--seconds S] [--segment]\n"
		"       udpblast recv|echo PORT [--gro]\n");
	return 2;
}

static bool parse_targets(struct options *o, char *list, uint16_t port)
{
	for (char *at = strtok(list, ","); at; at = strtok(NULL, ",")) {
		if (o->targets == TARGETS)
			return false;
		o->to[o->targets].sin_family = AF_INET;
		o->to[o->targets].sin_port = htons(port);
		if (inet_pton(AF_INET, at, &o->to[o->targets++].sin_addr) != 1)
			return false;
	}
	return o->targets > 0;
}

static bool parse_options(struct options *o, int argc, char **argv)
{
	static const struct option known[] = {
		{ "length", required_argument, NULL, 'l' },
		{ "rate", required_argument, NULL, 'r' },
		{ "seconds", required_argument, NULL, 's' },
		{ "segment", no_argument, NULL, 'g' },
		{ "gro", no_argument, NULL, 'G' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'l':
			o->length = strtoul(optarg, NULL, 10);
			break;
		case 'r':
			o->rate = strtoull(optarg, NULL, 10);
			break;
		case 's':
			o->seconds = strtod(optarg, NULL);
			break;
		case 'g':
			o->segment = true;
			break;
		case 'G':
			o->gro = true;
			break;
		default:
			return false;
		}
	}
	return o->length >= sizeof(struct stamp) && o->length <= LARGEST;
}

int main(int argc, char **argv)
{
	static struct options o = { .length = 64, .seconds = 1 };
	/* no SA_RESTART, so that a signal interrupts recvmmsg() */
	struct sigaction action = { .sa_handler = on_signal };
	const char *verb;
	bool sends;

	if (!parse_options(&o, argc, argv) || argc - optind < 2)
		return usage();
	verb = argv[optind];
	sends = !strcmp(verb, "send") || !strcmp(verb, "rtt");
	if (argc - optind != (sends ? 3 : 2))
		return usage();
	o.port = (uint16_t)strtoul(argv[optind + (sends ? 2 : 1)], NULL, 10);
	if (!o.port || (sends && !parse_targets(&o, argv[optind + 1], o.port)))
		return usage();
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	prctl(PR_SET_TIMERSLACK, 1000); /* 1 us, so that datagrams are sent at even intervals */
	if (!strcmp(verb, "send"))
		return run_send(&o);
	if (!strcmp(verb, "rtt"))
		return run_rtt(&o);
	if (!strcmp(verb, "recv"))
		return run_recv(&o);
	return strcmp(verb, "echo") ? usage() : run_echo(&o);
}
