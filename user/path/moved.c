/* SPDX-License-Identifier: MIT */
#include "path/moved.h"

#include "wg/spin.h"

/* Where @p went since @e was resolved; false if @e is up to date. */
static bool went(struct peer *p, const struct encap *e, struct endpoint *to, uint32_t *moved)
{
	*moved = atomic_load_explicit(&p->moved, memory_order_acquire);
	if (*moved == e->moved)
		return false;
	spin_lock(&p->moved_lock);
	*to = p->moved_to;
	*moved = atomic_load_explicit(&p->moved, memory_order_relaxed);
	spin_unlock(&p->moved_lock);
	return *moved != e->moved && to->remote.sa.sa_family != AF_UNSPEC;
}

const struct encap *moved_encap(struct peer *p, struct encap *room)
{
	const struct encap *e = atomic_load_explicit(&p->encap, memory_order_acquire);
	struct endpoint to;
	uint32_t moved;

	if (!e || !went(p, e, &to, &moved))
		return e;
	*room = (struct encap){
		.endpoint = to,
		.learned = to,
		.moved = moved,
		.mtu = e->mtu,
		.source_port = e->source_port,
	};
	return room;
}

bool moved_knows(struct peer *p, const struct endpoint *from)
{
	const struct encap *e = atomic_load_explicit(&p->encap, memory_order_acquire);
	struct endpoint to;
	uint32_t moved;

	if (!e)
		return false;
	if (went(p, e, &to, &moved))
		return endpoint_same(&to, from);
	/* By AF_XDP it came to what the host's NAT makes of our address: not one to send from. */
	return e->translated ? endpoint_same_remote(&e->learned, from)
			     : endpoint_same(&e->learned, from);
}

void moved_tell(struct peer *p, const struct endpoint *to, struct handoff *h)
{
	const struct note n = {
		.kind = NOTE_MOVED, .slot = p->slot, .serial = p->serial, .from = *to
	};

	/* Counted before it is told: who is told reads the count. */
	spin_lock(&p->moved_lock);
	p->moved_to = *to;
	atomic_fetch_add_explicit(&p->moved, 1, memory_order_release);
	if (!handoff_note(h, &n))
		p->moved_to.remote.sa.sa_family = AF_UNSPEC; /* a later packet will say it */
	spin_unlock(&p->moved_lock);
}
