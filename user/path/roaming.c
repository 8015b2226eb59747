/* SPDX-License-Identifier: MIT */
/* roaming.c - see roaming.h. */
#include "path/roaming.h"

#include "wg/spin.h"

/* Sets @to to the endpoint to which @p has roamed since @e was resolved. Returns false if @p has
 * not roamed since then, or if the new endpoint could not be reported to the control thread. */
static bool roamed_since(struct peer *p, const struct encap *e, struct endpoint *to,
			 uint32_t *roam_count)
{
	*roam_count = atomic_load_explicit(&p->roam_count, memory_order_acquire);
	if (*roam_count == e->roam_count)
		return false;
	spin_lock(&p->roaming_lock);
	*to = p->moved_to;
	*roam_count = atomic_load_explicit(&p->roam_count, memory_order_relaxed);
	spin_unlock(&p->roaming_lock);
	return *roam_count != e->roam_count && to->remote.sa.sa_family != AF_UNSPEC;
}

const struct encap *roaming_encap(struct peer *p, struct encap *room)
{
	const struct encap *e = atomic_load_explicit(&p->encap, memory_order_acquire);
	struct endpoint to;
	uint32_t roam_count;

	if (!e || !roamed_since(p, e, &to, &roam_count))
		return e;
	*room = (struct encap){
		.endpoint = to,
		.requested = to,
		.roam_count = roam_count,
		.mtu = e->mtu,
		.source_port = e->source_port,
	};
	return room;
}

bool roaming_knows(struct peer *p, const struct endpoint *from)
{
	const struct encap *e = atomic_load_explicit(&p->encap, memory_order_acquire);
	struct endpoint to;
	uint32_t roam_count;

	if (!e)
		return false;
	if (roamed_since(p, e, &to, &roam_count))
		return endpoint_same(&to, from);
	/* If the host translates this flow (NAT), a packet received by AF_XDP carries the
	 * translated destination address, which is not the local address of the encap. So only the
	 * remote addresses are compared. */
	return e->translated ? endpoint_same_remote(&e->requested, from)
			     : endpoint_same(&e->requested, from);
}

void roaming_tell(struct peer *p, const struct endpoint *to, struct handoff *h)
{
	const struct note n = {
		.kind = NOTE_ROAMED, .slot = p->slot, .serial = p->serial, .from = *to
	};

	/* Increment roam_count before sending the note, because the control thread reads roam_count
	 * when it handles the note. */
	spin_lock(&p->roaming_lock);
	p->moved_to = *to;
	/* The path to the new endpoint may have another NIC, which can segment. */
	atomic_store_explicit(&p->no_gso, false, memory_order_relaxed);
	atomic_fetch_add_explicit(&p->roam_count, 1, memory_order_release);
	if (!handoff_note(h, &n))
		p->moved_to.remote.sa.sa_family = AF_UNSPEC; /* a later packet tries again */
	spin_unlock(&p->roaming_lock);
}
