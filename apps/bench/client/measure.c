/*
 * See measure.h. Times are the client's: a vkQueueBindSparse and the wait for its fence, by the monotonic clock, in microseconds.
 * A block ("tile") is what the device says that a sparse buffer is bound in.
 */
#include "measure.h"
#include "random.h"
#include "resource.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BYTES = 100000000, CREATES = 64, SINGLES = 200, CALLS = 9, WHOLES = 15, SWEEPS = 3, GROWING = 64, LIVE_MAX = 16384 };

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void print_row(const char *row, double *us, int n, uint32_t binds)
{
	qsort(us, (size_t)n, sizeof *us, ascending);
	printf("{\"row\": \"%s\", \"n\": %d, \"min_us\": %.2f, \"median_us\": %.2f, \"max_us\": %.2f, \"per_op_us\": %.3f}\n", row, n,
	       us[0], us[n / 2], us[n - 1], us[n / 2] / binds);
	fflush(stdout);
}

static void escaped(const char *text)
{
	for (; *text; text++)
		if (*text == '"' || *text == '\\') printf("\\%c", *text);
		else if ((unsigned char)*text >= ' ') putchar(*text);
}

/* Names of the driver are an extension of properties, core since Vulkan 1.2. */
static void print_header(uint64_t tile)
{
	VkPhysicalDeviceDriverProperties driver = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES };
	VkPhysicalDeviceProperties2 all = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &driver };
	gpu.GetPhysicalDeviceProperties2(gpu.physical, &all);
	char date[11];
	time_t clock = time(NULL);
	strftime(date, sizeof date, "%Y-%m-%d", gmtime(&clock));
	printf("{\"format\": \"sparse-device-measurement\", \"version\": 1, \"device\": \"");
	escaped(gpu.properties.deviceName);
	printf("\", \"driver\": \"");
	escaped(driver.driverName[0] ? driver.driverName : "unnamed driver");
	if (driver.driverInfo[0]) putchar(' ');
	escaped(driver.driverInfo);
	const VkPhysicalDeviceSparseProperties *sparse = &gpu.properties.sparseProperties;
	printf("\", \"date\": \"%s\", \"tile_bytes\": %" PRIu64 ", \"facts\": {\"sparseResidencyBuffer\": %u, "
	       "\"sparseResidencyAliased\": %u, \"nonResidentStrict\": %u, \"sparseAddressSpaceSize\": \"0x%" PRIx64 "\"}}\n",
	       date, tile, gpu.features.sparseResidencyBuffer, gpu.features.sparseResidencyAliased,
	       sparse->residencyNonResidentStrict, (uint64_t)gpu.properties.limits.sparseAddressSpaceSize);
}

/* A buffer, memory for all of its tiles, and the tiles in an order of chance. */
struct target {
	VkBuffer buffer;
	VkDeviceMemory memory;
	uint64_t tile, bytes;
	uint32_t tiles;
	VkSparseMemoryBind *binds; /* of one tile each */
};

static struct target target_open(uint64_t bytes)
{
	VkMemoryRequirements needs;
	struct target t = { .buffer = buffer_create(bytes, &needs) };
	t.tile = needs.alignment;
	t.bytes = needs.size;
	t.tiles = (uint32_t)(needs.size / needs.alignment);
	t.memory = gpu_allocate(needs.size, needs.memoryTypeBits);
	t.binds = calloc(t.tiles, sizeof *t.binds);
	if (!t.binds) give_up("no memory for %u binds", t.tiles);
	for (uint32_t i = 0; i < t.tiles; i++)
		t.binds[i] = (VkSparseMemoryBind){ .resourceOffset = i * t.tile, .size = t.tile, .memoryOffset = i * t.tile };
	for (uint32_t i = t.tiles - 1; i > 0; i--) {
		uint32_t j = random_below(i + 1);
		VkSparseMemoryBind other = t.binds[i];
		t.binds[i] = t.binds[j];
		t.binds[j] = other;
	}
	return t;
}

static void target_close(struct target *t)
{
	buffer_destroy(t->buffer);
	gpu_free(t->memory);
	free(t->binds);
}

/* `count` tiles, in calls of `per_call`; with memory they are bound, without unbound. */
static double bind_tiles(const struct target *t, VkSparseMemoryBind *binds, uint32_t count, uint32_t per_call, VkDeviceMemory memory)
{
	for (uint32_t i = 0; i < count; i++) binds[i].memory = memory;
	double start = now();
	for (uint32_t i = 0; i < count; i += per_call)
		buffer_bind(t->buffer, binds + i, count - i < per_call ? count - i : per_call);
	return now() - start;
}

static void pair(const struct target *t, const char *what, uint32_t count, uint32_t per_call, int n)
{
	double bound[SINGLES], unbound[SINGLES];
	char row[96];
	for (int i = 0; i < n; i++) {
		VkSparseMemoryBind *binds = t->binds + (count == 1 ? (uint32_t)i % t->tiles : 0);
		bound[i] = bind_tiles(t, binds, count, per_call, t->memory);
		unbound[i] = bind_tiles(t, binds, count, per_call, VK_NULL_HANDLE);
	}
	snprintf(row, sizeof row, "bind %s", what);
	print_row(row, bound, n, count);
	snprintf(row, sizeof row, "unbind %s", what);
	print_row(row, unbound, n, count);
}

static void creations(void)
{
	double made[CREATES], gone[CREATES];
	for (int i = 0; i < CREATES; i++) {
		VkMemoryRequirements needs;
		double start = now();
		VkBuffer buffer = buffer_create(BYTES, &needs);
		made[i] = now() - start;
		start = now();
		buffer_destroy(buffer);
		gone[i] = now() - start;
	}
	print_row("create 100e6 sparse buffer", made, CREATES, 1);
	print_row("destroy it, nothing bound", gone, CREATES, 1);
}

static void empty_calls(const struct target *t)
{
	double us[SINGLES];
	for (int i = 0; i < SINGLES; i++) {
		double start = now();
		buffer_bind(t->buffer, NULL, 0);
		us[i] = now() - start;
	}
	print_row("empty vkQueueBindSparse and fence", us, SINGLES, 1);
}

/* All of a buffer as one bind. */
static void as_one(const struct target *t)
{
	VkSparseMemoryBind one = { .size = t->bytes };
	double bound[WHOLES], unbound[WHOLES];
	for (int i = 0; i < WHOLES; i++) {
		bound[i] = bind_tiles(t, &one, 1, 1, t->memory);
		unbound[i] = bind_tiles(t, &one, 1, 1, VK_NULL_HANDLE);
	}
	print_row("bind 100e6 as one bind", bound, WHOLES, 1);
	print_row("unbind 100e6 as one bind", unbound, WHOLES, 1);
}

/* Does a bind cost more where much is live in the same buffer? */
static void growth(uint64_t tile)
{
	static const uint32_t live[] = { 0, 1024, 4096, LIVE_MAX };
	enum { MOMENTS = sizeof live / sizeof *live };
	struct target t = target_open((LIVE_MAX + GROWING) * tile);
	double per_bind[MOMENTS];
	uint32_t bound = 0;
	for (int m = 0; m < MOMENTS; m++) {
		bind_tiles(&t, t.binds + bound, live[m] - bound, 256, t.memory);
		bound = live[m];
		per_bind[m] = bind_tiles(&t, t.binds + bound, GROWING, GROWING, t.memory) / GROWING;
		bind_tiles(&t, t.binds + bound, GROWING, GROWING, VK_NULL_HANDLE);
	}
	printf("{\"row\": \"64 binds of one tile each into the same buffer, by tiles live in it\", \"live\": [0, 1024, 4096, %d], "
	       "\"per_op_us\": [%.2f, %.2f, %.2f, %.2f]}\n",
	       LIVE_MAX, per_bind[0], per_bind[1], per_bind[2], per_bind[3]);
	target_close(&t);
}

/* One tile's memory behind every block: what a repeat made of binds takes. */
static void repeat(const struct target *t)
{
	double us[CALLS];
	for (uint32_t i = 0; i < t->tiles; i++) t->binds[i].memoryOffset = 0;
	for (int i = 0; i < CALLS; i++) {
		us[i] = bind_tiles(t, t->binds, t->tiles, t->tiles, t->memory);
		bind_tiles(t, t->binds, t->tiles, t->tiles, VK_NULL_HANDLE);
	}
	print_row("repeat: one tile bound to every block, one call", us, CALLS, t->tiles);
}

void measure(void)
{
	struct target t = target_open(BYTES);
	print_header(t.tile);
	creations();
	empty_calls(&t);
	pair(&t, "one tile, one call", 1, 1, SINGLES);
	for (uint32_t count = 1; count < t.tiles && count <= 1024; count *= 2) {
		char what[64];
		snprintf(what, sizeof what, "%u random tiles, one call", count);
		pair(&t, what, count, count, CALLS);
	}
	pair(&t, "all tiles, a call each", t.tiles, 1, SWEEPS);
	as_one(&t);
	if (gpu.features.sparseResidencyAliased) repeat(&t);
	growth(t.tile);
	target_close(&t);
}
