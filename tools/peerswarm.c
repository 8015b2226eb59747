// SPDX-License-Identifier: MIT
/*
 * peerswarm - simulates many WireGuard peers of one hub. All peers share one UDP socket.
 * tools/bench uses it as the load for a hub with 1,000 peers. The peers use the protocol core of
 * wgxdp. The hub may be any WireGuard implementation.
 *
 *   peerswarm keys COUNT                     prints the public keys of the peers, one in each line
 *   peerswarm send HUB_KEY ADDRESS PORT [--active N] [--length N] [--seconds S]
 *   peerswarm recv HUB_KEY ADDRESS PORT [--active N] [--seconds S]
 *
 * send and recv first do a handshake for each active peer, and then print "ready". send seals UDP
 * datagrams to 10.99.0.1 port 7000, from each peer in turn and without a pause. recv counts the
 * data messages that arrive, and does not decrypt them. Peer I has the inner address 10.98.(I /
 * 256).(I % 256). Its private key is derived from its number: these keys are for benchmarks and
 * protect nothing.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "conf/keytext.h"
#include "crypto/x25519.h"
#include "wg/cookie.h"
#include "wg/noise.h"

enum {
	BATCH = 64,
	PEERS = 1024,
	PLAIN_MAX = 1440,
	PATIENCE_S = 5, /* how long to wait for the answer to an initiation */
	INNER_PORT = 7000,
};

struct member {
	struct noise_keys keys;
	uint32_t remote_index;
	uint64_t counter;
};

struct swarm {
	int fd;
	uint8_t hub_key[WIRE_KEY_LEN];
	unsigned active;
	size_t length; /* length of the inner UDP payload */
	double seconds;
	struct member members[PEERS];
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void refuse(const char *what, const char *why)
{
	fprintf(stderr, "peerswarm: %s: %s\n", what, why);
	exit(1);
}

static void die(const char *what)
{
	refuse(what, strerror(errno));
}

static void private_key(uint8_t key[static WIRE_KEY_LEN], unsigned number)
{
	memset(key, 0x57, WIRE_KEY_LEN);
	key[1] = (uint8_t)number;
	key[2] = (uint8_t)(number >> 8);
	x25519_clamp(key);
}

static int print_keys(unsigned count)
{
	uint8_t private[WIRE_KEY_LEN], public[WIRE_KEY_LEN];
	char text[KEYTEXT_BASE64_LEN + 1];

	for (unsigned i = 0; i < count; i++) {
		private_key(private, i);
		x25519_public(public, private);
		keytext_to_base64(text, public);
		puts(text);
	}
	return 0;
}

/* --- handshakes ------------------------------------------------------------------------------- */

static bool send_initiation(struct swarm *s, unsigned number, const struct noise_identity *id,
			    const struct noise_remote *hub, struct noise_handshake *handshake)
{
	struct wire_initiation message = { 0 };
	uint8_t ephemeral[WIRE_KEY_LEN], timestamp[WIRE_TIMESTAMP_LEN];
	struct cookie_maker maker = { 0 };

	if (getrandom(ephemeral, sizeof(ephemeral), 0) != sizeof(ephemeral))
		die("getrandom");
	noise_tai64n(timestamp, clock_ns(CLOCK_REALTIME));
	if (!noise_create_initiation(&message, handshake, id, hub, ephemeral, timestamp,
				     number + 1))
		return false;
	cookie_maker_init(&maker, s->hub_key);
	cookie_sign(&maker, &message, sizeof(message), clock_ns(CLOCK_BOOTTIME));
	return send(s->fd, &message, sizeof(message), 0) == sizeof(message);
}

/* Reads messages until the response to @handshake arrives. Returns false if no message arrives for
 * PATIENCE_S. */
static bool receive_response(struct swarm *s, const struct noise_identity *id,
			     const struct noise_remote *hub, struct noise_handshake *handshake)
{
	uint8_t data[2048];
	ssize_t n;

	while ((n = recv(s->fd, data, sizeof(data), 0)) > 0) {
		struct wire_response response;

		if (n != sizeof(response) || data[0] != WIRE_RESPONSE)
			continue;
		memcpy(&response, data, sizeof(response));
		if (noise_consume_response(&response, handshake, id, hub))
			return true;
	}
	return false;
}

static void send_keepalive(struct swarm *s, struct member *m)
{
	uint8_t message[wire_data_len(0)];
	struct wire_data header = { .header.type = WIRE_DATA,
				    .receiver_index = htole32(m->remote_index),
				    .counter = htole64(m->counter) };
	struct aead_job job = { .key = m->keys.send,
				.counter = m->counter++,
				.src = message,
				.dst = message + sizeof(header) };

	memcpy(message, &header, sizeof(header));
	job.src = job.dst;
	aead_seal_batch(&job, 1);
	if (send(s->fd, message, sizeof(message), 0) < 0)
		die("send");
}

static void begin_session(struct swarm *s, unsigned number)
{
	struct noise_identity id = { 0 };
	struct noise_remote hub = { 0 };
	struct noise_handshake handshake = { 0 };
	uint8_t private[WIRE_KEY_LEN];
	struct member *m = &s->members[number];

	private_key(private, number);
	noise_identity_set(&id, private);
	noise_remote_set(&hub, &id, s->hub_key);
	if (!send_initiation(s, number, &id, &hub, &handshake) ||
	    !receive_response(s, &id, &hub, &handshake)) {
		fprintf(stderr, "peerswarm: peer %u: no handshake\n", number);
		exit(1);
	}
	m->remote_index = handshake.remote_index;
	noise_derive_keys(&handshake, &m->keys);
	send_keepalive(s, m);
}

/* --- send ------------------------------------------------------------------------------------- */

static uint32_t add_words(uint32_t sum, const uint8_t *data, size_t length)
{
	for (size_t i = 0; i + 1 < length; i += 2)
		sum += (uint32_t)data[i] << 8 | data[i + 1];
	return length & 1 ? sum + ((uint32_t)data[length - 1] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* Writes a padded IPv4 packet of peer @number, whose payload begins with @sequence. */
static size_t write_inner(uint8_t *out, const struct swarm *s, unsigned number, uint64_t sequence)
{
	size_t total = sizeof(struct iphdr) + sizeof(struct udphdr) + s->length;
	struct iphdr ip = { .version = 4,
			    .ihl = 5,
			    .ttl = 64,
			    .protocol = IPPROTO_UDP,
			    .tot_len = htons((uint16_t)total),
			    .saddr = htonl(10U << 24 | 98U << 16 | number),
			    .daddr = htonl(10U << 24 | 99U << 16 | 1) };
	struct udphdr udp = { .source = htons(INNER_PORT),
			      .dest = htons(INNER_PORT),
			      .len = htons((uint16_t)(sizeof(udp) + s->length)) };
	uint8_t *payload = out + sizeof(ip) + sizeof(udp);
	uint32_t pseudo = IPPROTO_UDP + (uint32_t)sizeof(udp) + (uint32_t)s->length;

	memset(out, 0, (total + WIRE_PADDING - 1) / WIRE_PADDING * WIRE_PADDING);
	memcpy(payload, &sequence, sizeof(sequence));
	memcpy(out, &ip, sizeof(ip));
	memcpy(out + sizeof(ip), &udp, sizeof(udp));
	ip.check = fold(add_words(0, out, sizeof(ip)));
	/* the sum begins at the addresses, which are 8 bytes before the UDP header */
	udp.check = fold(add_words(pseudo, out + sizeof(ip) - 8, 8 + sizeof(udp) + s->length));
	memcpy(out, &ip, sizeof(ip));
	memcpy(out + sizeof(ip), &udp, sizeof(udp));
	return (total + WIRE_PADDING - 1) / WIRE_PADDING * WIRE_PADDING;
}

/* Seals BATCH datagrams, of the active peers in turn, and sends them with one system call. Returns
 * how many the kernel accepted. */
static uint64_t send_batch(struct swarm *s, uint64_t sequence)
{
	static uint8_t data[BATCH][wire_data_len(PLAIN_MAX)];
	struct aead_job jobs[BATCH];
	struct mmsghdr messages[BATCH] = { 0 };
	struct iovec vectors[BATCH];
	int n;

	for (unsigned i = 0; i < BATCH; i++) {
		unsigned number = (unsigned)((sequence + i) % s->active);
		struct member *m = &s->members[number];
		struct wire_data header = { .header.type = WIRE_DATA,
					    .receiver_index = htole32(m->remote_index),
					    .counter = htole64(m->counter) };
		uint8_t *inner = data[i] + sizeof(header);
		size_t length = write_inner(inner, s, number, sequence + i);

		memcpy(data[i], &header, sizeof(header));
		jobs[i] = (struct aead_job){ .key = m->keys.send,
					     .counter = m->counter++,
					     .src = inner,
					     .dst = inner,
					     .len = (uint32_t)length };
		vectors[i] = (struct iovec){ data[i], wire_data_len(length) };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &vectors[i], .msg_iovlen = 1 };
	}
	aead_seal_batch(jobs, BATCH);
	n = sendmmsg(s->fd, messages, BATCH, 0);
	return n < 0 ? 0 : (uint64_t)n;
}

static void run_send(struct swarm *s)
{
	uint64_t start = clock_ns(CLOCK_MONOTONIC), sequence = 0, sent = 0;
	uint64_t end = start + (uint64_t)(s->seconds * 1e9);

	for (; clock_ns(CLOCK_MONOTONIC) < end; sequence += BATCH)
		sent += send_batch(s, sequence);
	printf("{\"sent\": %llu, \"seconds\": %.6f}\n", (unsigned long long)sent,
	       (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e9);
}

/* --- recv ------------------------------------------------------------------------------------- */

static void run_recv(struct swarm *s)
{
	static uint8_t data[BATCH][2048];
	struct mmsghdr messages[BATCH] = { 0 };
	struct iovec vectors[BATCH];
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + (uint64_t)(s->seconds * 1e9);
	uint64_t received = 0, first = 0, last = 0;

	for (unsigned i = 0; i < BATCH; i++) {
		vectors[i] = (struct iovec){ data[i], sizeof(data[i]) };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &vectors[i], .msg_iovlen = 1 };
	}
	while (clock_ns(CLOCK_MONOTONIC) < end) {
		int n = recvmmsg(s->fd, messages, BATCH, MSG_WAITFORONE, NULL);

		for (int i = 0; i < n; i++) {
			if (data[i][0] != WIRE_DATA || messages[i].msg_len <= wire_data_len(0))
				continue;
			last = clock_ns(CLOCK_MONOTONIC);
			first = first ? first : last;
			received++;
		}
	}
	printf("{\"received\": %llu, \"seconds\": %.6f}\n", (unsigned long long)received,
	       (double)(last - first) / 1e9);
}

/* --- the command ------------------------------------------------------------------------------ */

static void connect_to_hub(struct swarm *s, const char *address, const char *port)
{
	struct sockaddr_in hub = { .sin_family = AF_INET,
				   .sin_port = htons((uint16_t)strtoul(port, NULL, 10)) };
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int bytes = 8 << 20;

	if (inet_pton(AF_INET, address, &hub.sin_addr) != 1)
		refuse(address, "not an IPv4 address");
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || connect(s->fd, (struct sockaddr *)&hub, sizeof(hub)) ||
	    setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		die("socket");
	setsockopt(s->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
}

static bool parse_options(struct swarm *s, int argc, char **argv)
{
	static const struct option known[] = { { "active", required_argument, NULL, 'a' },
					       { "length", required_argument, NULL, 'l' },
					       { "seconds", required_argument, NULL, 's' },
					       { 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'a':
			s->active = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'l':
			s->length = strtoul(optarg, NULL, 10);
			break;
		case 's':
			s->seconds = strtod(optarg, NULL);
			break;
		default:
			return false;
		}
	}
	return s->active > 0 && s->active <= PEERS && s->length >= sizeof(uint64_t) &&
	       s->length <= PLAIN_MAX - sizeof(struct iphdr) - sizeof(struct udphdr) - WIRE_PADDING;
}

static int usage(void)
{
	fprintf(stderr, "usage: peerswarm keys COUNT\n"
			"       peerswarm send|recv HUB_KEY ADDRESS PORT [--active N] [--length N] "
			"[--seconds S]\n");
	return 2;
}

int main(int argc, char **argv)
{
	static struct swarm s = { .active = 64, .length = 64, .seconds = 1 };
	bool sends;

	if (!parse_options(&s, argc, argv) || argc - optind < 2)
		return usage();
	argv += optind;
	if (!strcmp(argv[0], "keys"))
		return print_keys((unsigned)strtoul(argv[1], NULL, 10));
	sends = !strcmp(argv[0], "send");
	if ((!sends && strcmp(argv[0], "recv")) || argc - optind != 4 ||
	    !keytext_from_base64(s.hub_key, argv[1], strlen(argv[1])))
		return usage();
	if (aead_select(NULL, NULL))
		refuse("AEAD", "no backend works on this CPU");
	connect_to_hub(&s, argv[2], argv[3]);
	for (unsigned i = 0; i < s.active; i++)
		begin_session(&s, i);
	puts("ready");
	fflush(stdout);
	if (sends)
		run_send(&s);
	else
		run_recv(&s);
	return 0;
}
