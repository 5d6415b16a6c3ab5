/*
 * The workloads on sparse buffers. The order in which they draw from the stream of chance is part of what they are: the
 * recordings that ship with vmbind were made by the same draws.
 */
#include "random.h"
#include "resource.h"
#include "workloads.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void wait_idle(void)
{
	mark("wait-idle");
	MUST(gpu.DeviceWaitIdle(gpu.device));
}

/* The smallest program that shows all three steps of a sparse buffer: nothing bound, a block bound, unbound again. */
static void bind_one(void)
{
	VkMemoryRequirements needs;
	mark("create");
	VkBuffer buffer = buffer_create(16 * MIB, &needs);
	mark("alloc-pool");
	VkDeviceMemory memory = gpu_allocate(needs.alignment, needs.memoryTypeBits);
	VkSparseMemoryBind bind = { .resourceOffset = 4 * MIB, .size = needs.alignment, .memory = memory };
	mark("bind");
	buffer_bind(buffer, &bind, 1);
	mark("unbind");
	bind.memory = VK_NULL_HANDLE;
	buffer_bind(buffer, &bind, 1);
	wait_idle();
	mark("destroy");
	buffer_destroy(buffer);
	mark("free-pool");
	gpu_free(memory);
}

static void never_bound(void)
{
	VkMemoryRequirements needs;
	mark("create");
	VkBuffer buffer = buffer_create(100000000, &needs);
	mark("requirements");
	gpu.GetBufferMemoryRequirements(gpu.device, buffer, &needs);
	wait_idle();
	mark("destroy");
	buffer_destroy(buffer);
}

enum { STREAM_OPERATIONS = 2000, STREAM_CALL = 64, NONE = UINT32_MAX };

/* What is bound where, in blocks of the buffer's alignment. */
struct stream {
	uint32_t blocks, pool_blocks;
	uint32_t *owner; /* of each block of the buffer: the pool's block, or NONE */
	char *used, *freed; /* of each block of the pool */
	char *touched; /* of each block of the buffer: by an operation of this call */
	struct run {
		uint32_t start, count;
	} past[STREAM_OPERATIONS]; /* binds that no unbind has picked yet */
	uint32_t past_count;
};

static int any(const char *flags, uint32_t start, uint32_t count)
{
	return memchr(flags + start, 1, count) != NULL;
}

/* The lowest `count` blocks of the pool in a row that nobody uses. */
static uint32_t free_run(const struct stream *s, uint32_t count)
{
	for (uint32_t at = 0; at + count <= s->pool_blocks; at++)
		if (!any(s->used, at, count)) return at;
	return NONE;
}

/* A past bind that no operation of this call overlaps, taken off the list. */
static int pick_past(struct stream *s, struct run *run)
{
	uint32_t first = random_below(s->past_count);
	for (uint32_t i = 0; i < s->past_count; i++) {
		uint32_t at = (first + i) % s->past_count;
		if (any(s->touched, s->past[at].start, s->past[at].count)) continue;
		*run = s->past[at];
		s->past[at] = s->past[--s->past_count];
		return 1;
	}
	return 0;
}

/* One operation: the range, and the block of the pool that it binds, or NONE. */
static uint32_t draw_operation(struct stream *s, struct run *run)
{
	run->count = 1 + random_below(16);
	uint32_t kind = random_below(8), from_pool = NONE;
	if (kind < 5) {
		from_pool = free_run(s, run->count);
		if (from_pool == NONE) kind = 5;
	}
	int placed = kind >= 5 && kind <= 6 && s->past_count > 0 && pick_past(s, run);
	while (!placed) {
		run->start = random_below(s->blocks - run->count + 1);
		placed = !any(s->touched, run->start, run->count);
	}
	memset(s->touched + run->start, 1, run->count);
	if (from_pool != NONE) s->past[s->past_count++] = *run;
	for (uint32_t i = 0; i < run->count; i++) {
		uint32_t *owner = &s->owner[run->start + i];
		if (*owner != NONE) s->freed[*owner] = 1;
		*owner = from_pool == NONE ? NONE : from_pool + i;
		if (from_pool != NONE) s->used[from_pool + i] = 1;
	}
	return from_pool;
}

static void stream(void)
{
	VkMemoryRequirements needs;
	mark("create");
	VkBuffer buffer = buffer_create(1024 * MIB, &needs);
	uint64_t block = needs.alignment;
	mark("alloc-pool");
	VkDeviceMemory pool = gpu_allocate(64 * MIB, needs.memoryTypeBits);

	struct stream s = { .blocks = (uint32_t)(1024 * MIB / block), .pool_blocks = (uint32_t)(64 * MIB / block) };
	s.owner = malloc(s.blocks * sizeof *s.owner);
	s.touched = malloc(s.blocks);
	s.used = calloc(s.pool_blocks, 1);
	s.freed = calloc(s.pool_blocks, 1);
	if (!s.owner || !s.touched || !s.used || !s.freed) give_up("out of memory");
	for (uint32_t i = 0; i < s.blocks; i++) s.owner[i] = NONE;

	mark("stream");
	for (uint32_t done = 0; done < STREAM_OPERATIONS;) {
		VkSparseMemoryBind binds[STREAM_CALL];
		uint32_t count = 0;
		memset(s.touched, 0, s.blocks);
		for (; count < STREAM_CALL && done < STREAM_OPERATIONS; count++, done++) {
			struct run run;
			uint32_t from_pool = draw_operation(&s, &run);
			binds[count] = (VkSparseMemoryBind){
				.resourceOffset = run.start * block,
				.size = run.count * block,
				.memory = from_pool == NONE ? VK_NULL_HANDLE : pool,
				.memoryOffset = from_pool == NONE ? 0 : from_pool * block,
			};
		}
		buffer_bind(buffer, binds, count);
		/* Memory that a call took away is used again by later calls only. */
		for (uint32_t i = 0; i < s.pool_blocks; i++)
			if (s.freed[i]) s.used[i] = s.freed[i] = 0;
	}
	wait_idle();
	mark("destroy");
	buffer_destroy(buffer);
	mark("free-pool");
	gpu_free(pool);
	free(s.owner);
	free(s.touched);
	free(s.used);
	free(s.freed);
}

static void many_small(void)
{
	enum { BUFFERS = 500, ALIVE = 64 };
	VkBuffer alive[ALIVE];
	uint32_t count = 0;
	mark("churn");
	for (uint32_t made = 0; made < BUFFERS || count > 0;) {
		if (made < BUFFERS && (count == 0 || (count < ALIVE && random_below(8) < 5))) {
			uint64_t bytes = (1 + random_below(64)) * MIB;
			if (random_below(2)) bytes -= random_below((uint32_t)MIB);
			if (bytes < MIB) bytes = MIB;
			mark("create n=%u size=%llu", made++, (unsigned long long)bytes);
			VkMemoryRequirements needs;
			alive[count++] = buffer_create(bytes, &needs);
		} else {
			uint32_t i = random_below(count);
			mark("destroy alive=%u", count);
			buffer_destroy(alive[i]);
			alive[i] = alive[--count];
		}
	}
	wait_idle();
}

const struct workload buffer_workloads[] = {
	{ "bind-one", "a buffer of 16 MiB: one block bound, unbound again", bind_one },
	{ "buffer-100e6", "a buffer of 100,000,000 bytes to which nothing is ever bound", never_bound },
	{ "buffer-stream", "2000 random binds and unbinds in a buffer of 1 GiB", stream },
	{ "many-small", "500 buffers of 1 to 64 MiB created and destroyed, nothing bound", many_small },
	{ 0 },
};
