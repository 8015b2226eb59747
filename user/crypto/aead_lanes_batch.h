/* SPDX-License-Identifier: MIT */
/*
 * aead_lanes_batch.h - seals and opens batches in the lanes of SIMD registers. Only the SIMD
 * backends include this file.
 *
 * The ChaCha20 blocks of all packets are put into slots, one after another. Below, Ka is block 0 of
 * packet a, which is its Poly1305 key, and a0, a1, ... are its data blocks. At a bar all slots are
 * full, and the lanes compute the blocks in them:
 *
 *     seal   Ka a0 a1 a2 Kb b0 Kc c0 | c1 c2 c3 ...
 *     open   Ka Kb Kc Kd Ke Kf Kg Kh | ... then the tags are checked, then a0 a1 a2 b0 ...
 *
 * Opening queues the data blocks only of packets whose tag was right, so a forged packet is never
 * decrypted. A batch that fits into the slots is opened in one pass: the key stream is computed
 * before the tags are checked, but only packets whose tag was right are decrypted with it.
 */
#ifndef WGXDP_AEAD_LANES_BATCH_H
#define WGXDP_AEAD_LANES_BATCH_H

/* Upper bounds for the stack of the functions that seal_batch() and open_batch() call: DEEP if they
 * compute a block in each lane, SHALLOW if they use only compute_rows() and scalar code. */
#define DEEP_STACK_BYTES (6 * 1024)
#define SHALLOW_STACK_BYTES (2 * 1024)

/* A partial block, which is computed in a slot's scratch and then copied to @dst. */
struct output {
	const uint8_t *scratch;
	uint8_t *dst;
	size_t len;
};

/* The working memory for up to AEAD_WINDOW packets of a batch. */
struct window {
	/* Secret. wipe_traces() wipes the parts that were written. */
	alignas(64) uint8_t scratch[SLOTS][BLOCK_LEN]; /* partial and gathered blocks; key stream */
	uint8_t keys[AEAD_WINDOW][BLOCK_LEN];	       /* Poly1305 keys, in the first 32 bytes */
	uint8_t tags[AEAD_WINDOW][AEAD_TAG_LEN];
	struct poly poly;
	/* Public. */
	struct mac macs[AEAD_WINDOW];
	struct blocks blocks;
	struct output outputs[SLOTS];
	size_t used; /* slots that hold a block */
	size_t n_outputs;
	size_t touched; /* how many slots of the scratch were written */
};

static const uint8_t zeros[BLOCK_LEN];

/* Computes the blocks in the slots. */
static void compute(struct window *w)
{
	size_t slots = slots_for(w->used);

	if (slots > w->touched)
		w->touched = slots;
	/* The slots from w->used to @slots hold no block, but are computed, too, so they need valid
	 * addresses. Their output is not used. */
	for (size_t i = w->used; i < slots; i++) {
		w->blocks.key[i] = w->blocks.key[0];
		w->blocks.src[i] = zeros;
		w->blocks.dst[i] = w->scratch[i];
	}
	keystream(&w->blocks, w->used);
}

/* Computes the blocks in the slots, writes out the partial ones and empties the slots. */
static void flush(struct window *w)
{
	if (w->used == 0)
		return;
	compute(w);
	for (const struct output *o = w->outputs; o < w->outputs + w->n_outputs; o++)
		memcpy(o->dst, o->scratch, o->len);
	w->used = w->n_outputs = 0;
}

/* Takes a slot for block @number of the packet's key stream: @dst := @src ^ block. Returns the
 * slot. Flushes first if no slot is free. */
static INLINE size_t queue_block(struct window *w, const struct aead_job *job, uint32_t number,
				 const uint8_t *src, uint8_t *dst)
{
	size_t i;

	if (w->used == SLOTS)
		flush(w);
	i = w->used++;
	w->blocks.key[i] = job->key;
	w->blocks.number[i] = number;
	w->blocks.low[i] = (uint32_t)job->counter;
	w->blocks.high[i] = (uint32_t)(job->counter >> 32);
	w->blocks.src[i] = src;
	w->blocks.dst[i] = dst;
	return i;
}

/* Takes slots for @count consecutive blocks, like queue_block(). */
static INLINE void queue_blocks(struct window *w, const struct aead_job *job, uint32_t number,
				const uint8_t *src, uint8_t *dst, size_t count)
{
	if (count == 1) {
		queue_block(w, job, number, src, dst);
		return;
	}
	while (count > 0) {
		size_t n = count < LANES ? count : LANES;

		if (w->used == SLOTS)
			flush(w);
		if (n > SLOTS - w->used)
			n = SLOTS - w->used;
		set_slots(&w->blocks, w->used, job, number, src, dst);
		w->used += n;
		count -= n;
		number += (uint32_t)n;
		src += n * BLOCK_LEN;
		dst += n * BLOCK_LEN;
	}
}

/* Copies @n bytes of the job's plaintext, beginning with byte @at, from the head, src and the
 * padding. */
static void gather(uint8_t *to, const struct aead_job *job, size_t at, size_t n)
{
	size_t data_end = job->len - job->pad_len, part;

	if (at < job->head_len) {
		part = job->head_len - at < n ? job->head_len - at : n;
		memcpy(to, job->dst + at, part);
		to += part;
		at += part;
		n -= part;
	}
	if (at < data_end && n > 0) {
		part = data_end - at < n ? data_end - at : n;
		memcpy(to, job->src + (at - job->head_len), part);
		to += part;
		n -= part;
	}
	memset(to, 0, n);
}

/* Queues the block at byte @at of the packet. The block may be partial, and its plaintext may come
 * from several pieces (head, src, padding). */
static void queue_gathered(struct window *w, const struct aead_job *job, size_t at)
{
	size_t n = job->len - at < BLOCK_LEN ? job->len - at : BLOCK_LEN;
	size_t i = queue_block(w, job, (uint32_t)(at / BLOCK_LEN) + 1, NULL, job->dst + at);

	gather(w->scratch[i], job, at, n);
	w->blocks.src[i] = w->scratch[i];
	if (n == BLOCK_LEN)
		return;
	w->blocks.dst[i] = w->scratch[i];
	w->outputs[w->n_outputs++] = (struct output){ w->scratch[i], job->dst + at, n };
}

static void queue_key(struct window *w, const struct aead_job *job, uint8_t *key)
{
	queue_block(w, job, 0, zeros, key);
}

/* Queues the blocks of the packet's data. */
static void queue_data(struct window *w, const struct aead_job *job)
{
	size_t head_end = job->head_len, data_end = job->len - job->pad_len, at = 0;

	while (at < job->len) {
		bool in_head = at < head_end;
		size_t end = in_head ? head_end : data_end;
		size_t whole = at < end ? (end - at) / BLOCK_LEN : 0;

		if (whole == 0) {
			queue_gathered(w, job, at);
			at += BLOCK_LEN;
			continue;
		}
		queue_blocks(w, job, (uint32_t)(at / BLOCK_LEN) + 1,
			     in_head ? job->dst + at : job->src + (at - head_end), job->dst + at,
			     whole);
		at += whole * BLOCK_LEN;
	}
}

static size_t data_blocks(const struct aead_job *job)
{
	return ((size_t)job->len + BLOCK_LEN - 1) / BLOCK_LEN;
}

static void seal_window(struct window *w, struct aead_job *jobs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		queue_key(w, &jobs[i], w->keys[i]);
		queue_data(w, &jobs[i]);
	}
	flush(w);
	for (size_t i = 0; i < n; i++)
		w->macs[i] = (struct mac){ w->keys[i], jobs[i].dst, jobs[i].len,
					   jobs[i].dst + jobs[i].len };
	mac_many(&w->poly, w->macs, n);
}

/* Returns zero if the tags are equal. Constant time, because it always combines all bits. */
static uint64_t tags_differ(const uint8_t *a, const uint8_t *b)
{
	return (load64(a) ^ load64(b)) | (load64(a + 8) ^ load64(b + 8));
}

/* Checks the tags and sets the ok of every job. w->keys holds the Poly1305 keys. */
static void verify(struct window *w, struct aead_job *jobs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		w->macs[i] = (struct mac){ w->keys[i], jobs[i].src, jobs[i].len, w->tags[i] };
	mac_many(&w->poly, w->macs, n);
	for (size_t i = 0; i < n; i++) {
		uint64_t differ = tags_differ(w->tags[i], jobs[i].src + jobs[i].len);

		declassify(&differ, sizeof(differ));
		jobs[i].ok = differ == 0;
	}
}

static void open_window(struct window *w, struct aead_job *jobs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		queue_key(w, &jobs[i], w->keys[i]);
	flush(w);
	verify(w, jobs, n);
	for (size_t i = 0; i < n; i++) {
		if (jobs[i].ok)
			queue_data(w, &jobs[i]);
		else
			memset(jobs[i].dst, 0, jobs[i].len);
	}
	flush(w);
}

/* Queues the blocks of the packet's key stream. The key stream stays in scratch until the tag has
 * been checked. */
static void queue_stream(struct window *w, const struct aead_job *job)
{
	for (uint32_t number = 1; number <= data_blocks(job); number++)
		queue_block(w, job, number, zeros, w->scratch[w->used]);
}

/* Decrypts the packet with the key stream in scratch, which begins at @slot. */
static void decrypt(struct window *w, const struct aead_job *job, size_t slot)
{
	uint8_t *end = w->keys[0]; /* may be overwritten, because all tags have been checked */
	size_t at = 0, rest = job->len % BLOCK_LEN;

	for (; at + BLOCK_LEN <= job->len; at += BLOCK_LEN)
		xor_block(job->dst + at, job->src + at, w->scratch[slot++]);
	if (!rest)
		return;
	memcpy(end, job->src + at, rest);
	xor_block(end, end, w->scratch[slot]);
	memcpy(job->dst + at, end, rest);
}

/* Opens packets whose blocks all fit into the slots. Computes the key stream together with the
 * Poly1305 keys, before the tags are checked. For a forged packet the key stream is wasted work,
 * but one run of the lanes is cheaper than two. */
static void open_in_one_pass(struct window *w, struct aead_job *jobs, size_t n)
{
	size_t slot = n;

	for (size_t i = 0; i < n; i++)
		queue_key(w, &jobs[i], w->keys[i]);
	for (size_t i = 0; i < n; i++)
		queue_stream(w, &jobs[i]);
	compute(w);
	w->used = 0;
	verify(w, jobs, n);
	for (size_t i = 0; i < n; i++) {
		if (jobs[i].ok)
			decrypt(w, &jobs[i], slot);
		else
			memset(jobs[i].dst, 0, jobs[i].len);
		slot += data_blocks(&jobs[i]);
	}
}

static bool fit_into_slots(const struct aead_job *jobs, size_t n)
{
	size_t blocks = n;

	for (size_t i = 0; i < n && blocks <= SLOTS; i++)
		blocks += data_blocks(&jobs[i]);
	return blocks <= SLOTS;
}

/* Returns the number of bytes from @array to the end of the stack frame of the calling function.
 * The array is in this frame and has @len bytes. The compiler may leave a gap above the array. If
 * only the array were wiped, the gap would keep what earlier functions left there. On arm64 nothing
 * is above the array. */
static INLINE size_t to_end_of_frame(const uint8_t *array, size_t len)
{
#if defined(__x86_64__)
	(void)len;
	return (size_t)((const uint8_t *)__builtin_frame_address(0) - array);
#else
	(void)array;
	return len;
#endif
}

#define WIPES_FRAME __attribute__((noinline, no_stack_protector, no_sanitize_address))

/* wipe_deep_stack() and wipe_shallow_stack() overwrite the stack frames of functions that have
 * returned. The compiler may have spilled parts of the ChaCha20 state and of Poly1305 sums to these
 * frames. WIPES_FRAME turns off the stack protector, whose canary above the array would be
 * overwritten, and AddressSanitizer, which may put the array outside of the frame. */
static WIPES_FRAME void wipe_deep_stack(void)
{
	uint8_t below[DEEP_STACK_BYTES];

	wipe(below, to_end_of_frame(below, sizeof(below)));
}

static WIPES_FRAME void wipe_shallow_stack(void)
{
	uint8_t below[SHALLOW_STACK_BYTES];

	wipe(below, to_end_of_frame(below, sizeof(below)));
}

/* Clears the scalar registers that a called function may change. */
static INLINE void clear_scalar_registers(void)
{
#if defined(__x86_64__)
	__asm__ volatile("xor %%eax, %%eax\n\txor %%ecx, %%ecx\n\txor %%edx, %%edx\n\t"
			 "xor %%esi, %%esi\n\txor %%edi, %%edi\n\txor %%r8d, %%r8d\n\t"
			 "xor %%r9d, %%r9d\n\txor %%r10d, %%r10d\n\txor %%r11d, %%r11d"
			 :
			 :
			 : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc");
#else
	__asm__ volatile(".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17\n\t"
			 "mov x\\n, xzr\n\t"
			 ".endr"
			 :
			 :
			 : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11",
			   "x12", "x13", "x14", "x15", "x16", "x17");
#endif
}

/* Wipes the secrets of a batch of @n packets: in the window, on the stack below the window, and in
 * the registers. */
static INLINE void wipe_traces(struct window *w, size_t n)
{
	size_t packets = n < AEAD_WINDOW ? n : AEAD_WINDOW;

	/* Clear the registers first, because the dynamic linker may save them on the stack when it
	 * resolves a function that wipe() calls. */
	clear_registers();
	clear_scalar_registers();
	wipe(w->scratch, w->touched * BLOCK_LEN);
	wipe(w->keys, packets * BLOCK_LEN);
	wipe(w->tags, packets * AEAD_TAG_LEN);
	if (w->poly.lanes_used)
		wipe(&w->poly, sizeof(w->poly));
	else
		wipe(&w->poly.one, sizeof(w->poly.one));
	if (w->touched > ROW_GROUPS * ROW_BLOCKS || w->poly.lanes_used)
		wipe_deep_stack();
	else
		wipe_shallow_stack();
}

static INLINE void window_init(struct window *w)
{
	w->used = w->touched = w->n_outputs = 0;
	w->poly.lanes_used = false;
}

static void seal_batch(struct aead_job *jobs, size_t n)
{
	struct window w;

	window_init(&w);
	for (size_t at = 0; at < n; at += AEAD_WINDOW)
		seal_window(&w, jobs + at, n - at < AEAD_WINDOW ? n - at : AEAD_WINDOW);
	wipe_traces(&w, n);
}

static void open_batch(struct aead_job *jobs, size_t n)
{
	struct window w;

	window_init(&w);
	for (size_t at = 0; at < n; at += AEAD_WINDOW) {
		size_t count = n - at < AEAD_WINDOW ? n - at : AEAD_WINDOW;

		if (fit_into_slots(jobs + at, count))
			open_in_one_pass(&w, jobs + at, count);
		else
			open_window(&w, jobs + at, count);
	}
	wipe_traces(&w, n);
}

#endif
