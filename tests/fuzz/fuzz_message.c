/* SPDX-License-Identifier: MIT */
/*
 * fuzz_message.c - sends messages of types 1 to 3 with some bytes changed, and random bytes, to two
 * devices in the middle of a handshake. A message that is not authentic changes no state, and gets
 * no answer except a cookie reply.
 *
 * Input: flags that choose the message, then pairs of an offset and a value to XOR there.
 */
#include "../unit/pair.h"
#include "fuzz_main.h"
#include "wg/cookie.h"

/* Bits of the first byte of the input. WHICH: the type of the message, 0 = random bytes. SIGNED:
 * the macs are recomputed after the changes. ELSEWHERE: the message has another source address. */
enum { WHICH = 3, UNDER_LOAD = 4, SIGNED = 8, ELSEWHERE = 16 };

static struct pair t;
static struct datagram originals[WHICH + 1]; /* by type; type 0 stands for random bytes */

static struct datagram newest(unsigned type)
{
	for (unsigned i = 0; i < HISTORY_LEN; i++)
		if (t.w->history[i].data[0] == type)
			return t.w->history[i];
	abort();
}

/* Node a waits for the response to its initiation, or for a cookie reply. Node b has accepted the
 * initiation, so a copy of it is a replay. */
static void begin(void)
{
	struct datagram dg;

	t = meet();
	node_send(t.a, t.ab);
	dg = intercept(t.w, WIRE_INITIATION);
	t.b->under_load = true;
	node_input(t.b, &dg);
	t.b->under_load = false;
	node_input(t.b, &dg);
	for (unsigned type = WIRE_INITIATION; type <= WIRE_COOKIE; type++)
		originals[type] = newest(type);
	t.w->now_ns += NS_PER_S; /* so that the limit of initiations per peer does not apply */
}

/* Computes the macs that a sender who knows @to's public key would write. */
static void sign(const struct node *to, struct datagram *dg)
{
	struct cookie_maker m;

	cookie_maker_init(&m, to->device.identity.public);
	cookie_sign(&m, dg->data, dg->len, t.w->now_ns);
}

static unsigned answers(const struct node *n)
{
	return n->sends - n->sent[WIRE_COOKIE];
}

/* Returns true if @dg equals the original in all bytes that matter while the node is not under
 * load. mac2 matters only under load, so it is not compared. If the macs are recomputed, mac1 and
 * the sender's index in a handshake message are not compared either: only mac1 covers the index
 * ([W] 5.4.3), so anybody who knows the public key can change the index. */
static bool same(uint8_t type, const struct datagram *dg, bool is_signed)
{
	size_t from = is_signed && type != WIRE_COOKIE ? 8 : 0;
	size_t end = dg->len - (type == WIRE_COOKIE ? 0 : WIRE_MAC_LEN);

	return !memcmp(dg->data, originals[type].data, from / 2) &&
	       !memcmp(dg->data + from, originals[type].data + from,
		       end - from - (from ? WIRE_MAC_LEN : 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t how = size ? data[0] : 0, type = how & WHICH;
	struct datagram dg;
	struct node *to;
	uint64_t before;
	unsigned answered;

	if (!t.w)
		begin();
	dg = originals[type];
	to = type == WIRE_INITIATION ? t.b : t.a;
	if (!type) {
		dg.len = size < sizeof(dg.data) ? size : sizeof(dg.data);
		memcpy(dg.data, data, dg.len);
	}
	for (size_t i = 1; type && i + 1 < size; i += 2)
		dg.data[data[i] % dg.len] ^= data[i + 1];
	if ((type == WIRE_INITIATION || type == WIRE_RESPONSE) && (how & SIGNED))
		sign(to, &dg);
	/* Under load even the original handshake messages are refused: they have no mac2. */
	if (type && (type == WIRE_COOKIE || !(how & UNDER_LOAD)) && same(type, &dg, how & SIGNED))
		return 0;
	dg.from = world_address(how & ELSEWHERE ? 9 : 1, 7);
	to->under_load = how & UNDER_LOAD;
	before = node_state(to);
	answered = answers(to);
	if (!node_input(to, &dg) || node_state(to) != before || answers(to) != answered)
		abort();
	return 0;
}
