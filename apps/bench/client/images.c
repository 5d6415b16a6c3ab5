/* The workloads on sparse images; see buffers.c on their draws. */
#include "random.h"
#include "resource.h"
#include "workloads.h"
#include <stdlib.h>
#include <string.h>

static const struct image_format RGBA8_2D = { VK_IMAGE_TYPE_2D, VK_FORMAT_R8G8B8A8_UNORM, 4 };
static const struct image_format R8_3D = { VK_IMAGE_TYPE_3D, VK_FORMAT_R8_UNORM, 1 };
static const struct image_format RGBA8_3D = { VK_IMAGE_TYPE_3D, VK_FORMAT_R8G8B8A8_UNORM, 4 };

static uint32_t all_mips(uint32_t texels)
{
	uint32_t levels = 1;
	while (texels >>= 1) levels++;
	return levels;
}

static void wait_and_destroy(struct image *image)
{
	mark("wait-idle");
	MUST(gpu.DeviceWaitIdle(gpu.device));
	mark("destroy");
	image_destroy(image);
}

static void tail_only(void)
{
	struct image image;
	if (!image_create(&image, &RGBA8_2D, (VkExtent3D){ 16384, 16384, 1 }, all_mips(16384), 1)) return;
	VkDeviceMemory tail = image_bind_tail(&image);
	wait_and_destroy(&image);
	if (tail == VK_NULL_HANDLE) return;
	mark("free-pool");
	gpu_free(tail);
}

enum { WINDOW = 8, WINDOW_STEPS = 64, WINDOW_SLOTS = 2 * WINDOW * WINDOW, NO_SLOT = 255 };

struct place {
	int x, y;
};

static int inside(struct place window, int x, int y)
{
	return x >= window.x && x < window.x + WINDOW && y >= window.y && y < window.y + WINDOW;
}

/* One coordinate of the walk: two tiles back to four ahead, turned round where that would leave the image. */
static int walk(int at, int step, int *direction, int tiles)
{
	int last = tiles - WINDOW, next = at + *direction * step;
	if (next < 0 || next > last) {
		*direction = -*direction;
		next = at + *direction * step;
	}
	return next < 0 ? 0 : next > last ? last : next;
}

static void window(void)
{
	struct image image;
	if (!image_create(&image, &RGBA8_2D, (VkExtent3D){ 16384, 16384, 1 }, all_mips(16384), 1)) return;
	VkExtent3D tiles = image_tiles(&image, 0);
	int across = (int)tiles.width, down = (int)tiles.height;
	/* Of each tile: the place in the pool that holds it. */
	unsigned char *slot = malloc((size_t)across * down), used[WINDOW_SLOTS] = { 0 }, freed[WINDOW_SLOTS];
	if (!slot) give_up("out of memory");
	memset(slot, NO_SLOT, (size_t)across * down);
	mark("alloc-pool");
	VkDeviceMemory pool = gpu_allocate(WINDOW_SLOTS * image.tile_bytes, image.needs.memoryTypeBits);

	mark("window");
	struct place now = { across / 2, down / 2 };
	struct place direction = { 1, 1 };
	for (int step = 0; step < WINDOW_STEPS; step++) {
		struct place before = now;
		if (step > 0) {
			int x = (int)random_below(7) - 2, y = (int)random_below(7) - 2;
			now.x = walk(now.x, x, &direction.x, across);
			now.y = walk(now.y, y, &direction.y, down);
		}
		VkSparseImageMemoryBind binds[2 * WINDOW * WINDOW];
		uint32_t count = 0;
		memset(freed, 0, sizeof freed);
		for (int y = now.y; y < now.y + WINDOW; y++)
			for (int x = now.x; x < now.x + WINDOW; x++) {
				unsigned char *at = &slot[y * across + x];
				if (*at != NO_SLOT) continue;
				*at = (unsigned char)((unsigned char *)memchr(used, 0, sizeof used) - used);
				used[*at] = 1;
				binds[count++] = image_tile(&image, 0, (VkOffset3D){ x, y, 0 }, pool, *at * image.tile_bytes);
			}
		for (int y = before.y; step > 0 && y < before.y + WINDOW; y++)
			for (int x = before.x; x < before.x + WINDOW; x++) {
				if (inside(now, x, y)) continue;
				freed[slot[y * across + x]] = 1;
				slot[y * across + x] = NO_SLOT;
				binds[count++] = image_tile(&image, 0, (VkOffset3D){ x, y, 0 }, VK_NULL_HANDLE, 0);
			}
		mark("step=%d x=%d y=%d", step, now.x, now.y);
		if (count > 0) image_bind(&image, binds, count);
		for (int i = 0; i < WINDOW_SLOTS; i++)
			if (freed[i]) used[i] = 0;
	}
	wait_and_destroy(&image);
	mark("free-pool");
	gpu_free(pool);
	free(slot);
}

enum { VOLUME_TILES = 500, VOLUME_CALL = 50 };

static void bind_tiles(const struct image *image, const uint32_t *tile, uint32_t count, VkDeviceMemory pool)
{
	VkExtent3D grid = image_tiles(image, 0);
	for (uint32_t from = 0; from < count; from += VOLUME_CALL) {
		VkSparseImageMemoryBind binds[VOLUME_CALL];
		uint32_t n = 0;
		for (; n < VOLUME_CALL && from + n < count; n++) {
			uint32_t index = tile[from + n];
			VkOffset3D at = {
				(int32_t)(index % grid.width),
				(int32_t)(index / grid.width % grid.height),
				(int32_t)(index / grid.width / grid.height),
			};
			binds[n] = image_tile(image, 0, at, pool, (from + n) * image->tile_bytes);
		}
		image_bind(image, binds, n);
	}
}

static void volume(void)
{
	struct image image;
	VkExtent3D extent = { 512, 512, 512 };
	if (!image_create(&image, &R8_3D, extent, 1, 1) && !image_create(&image, &RGBA8_3D, extent, 1, 1)) {
		mark("skip");
		return;
	}
	VkExtent3D grid = image_tiles(&image, 0);
	uint32_t all = grid.width * grid.height * grid.depth, count = all < VOLUME_TILES ? all : VOLUME_TILES;
	uint32_t tile[VOLUME_TILES] = { 0 };
	char *taken = calloc(all, 1);
	if (!taken) give_up("out of memory");
	mark("alloc-pool");
	VkDeviceMemory pool = gpu_allocate(count * image.tile_bytes, image.needs.memoryTypeBits);
	mark("bind");
	for (uint32_t i = 0; i < count; i++) {
		do tile[i] = random_below(all);
		while (taken[tile[i]]);
		taken[tile[i]] = 1;
	}
	bind_tiles(&image, tile, count, pool);
	mark("unbind");
	for (uint32_t i = count - 1; i > 0; i--) {
		uint32_t other = random_below(i + 1), swap = tile[i];
		tile[i] = tile[other];
		tile[other] = swap;
	}
	bind_tiles(&image, tile, count, VK_NULL_HANDLE);
	wait_and_destroy(&image);
	mark("free-pool");
	gpu_free(pool);
	free(taken);
}

enum { ARRAY_TEXELS = 2048, ARRAY_LAYERS = 16, ARRAY_CALL = 256 };

/* Every layer of every level above the tail: one bind each, one call for a level. */
static void bind_levels(const struct image *image, VkDeviceMemory memory)
{
	uint64_t offset = 0;
	for (uint32_t mip = 0; mip < image->tail_mip; mip++) {
		VkExtent3D tiles = image_tiles(image, mip);
		VkSparseImageMemoryBind binds[ARRAY_LAYERS];
		for (uint32_t layer = 0; layer < image->layers; layer++) {
			binds[layer] = image_level(image, mip, layer, memory, offset);
			offset += (uint64_t)tiles.width * tiles.height * image->tile_bytes;
		}
		image_bind(image, binds, image->layers);
	}
}

static void array_mips(void)
{
	struct image image;
	VkExtent3D extent = { ARRAY_TEXELS, ARRAY_TEXELS, 1 };
	if (!image_create(&image, &RGBA8_2D, extent, all_mips(ARRAY_TEXELS), ARRAY_LAYERS)) return;
	VkExtent3D grid = image_tiles(&image, 0);
	uint32_t of_layer = grid.width * grid.height, all = of_layer * image.layers;
	uint64_t level_bytes = 0;
	for (uint32_t mip = 0; mip < image.tail_mip; mip++) {
		VkExtent3D tiles = image_tiles(&image, mip);
		level_bytes += (uint64_t)tiles.width * tiles.height * image.tile_bytes * image.layers;
	}
	VkDeviceMemory tail = image_bind_tail(&image);
	mark("alloc-pool");
	VkDeviceMemory pool = gpu_allocate((all + 1) / 2 * image.tile_bytes, image.needs.memoryTypeBits);
	VkDeviceMemory levels = gpu_allocate(level_bytes, image.needs.memoryTypeBits);

	mark("bind-every-other-tile");
	for (uint32_t index = 0; index < all;) {
		VkSparseImageMemoryBind binds[ARRAY_CALL];
		uint32_t count = 0;
		for (; count < ARRAY_CALL && index < all; count++, index += 2) {
			VkOffset3D at = {
				(int32_t)(index % of_layer % grid.width),
				(int32_t)(index % of_layer / grid.width),
				0,
			};
			binds[count] = image_tile(&image, index / of_layer, at, pool, index / 2 * image.tile_bytes);
		}
		image_bind(&image, binds, count);
	}
	mark("bind-all");
	bind_levels(&image, levels);
	mark("unbind-all");
	bind_levels(&image, VK_NULL_HANDLE);
	image_unbind_tail(&image);
	wait_and_destroy(&image);
	mark("free-pool");
	gpu_free(pool);
	gpu_free(levels);
	if (tail != VK_NULL_HANDLE) gpu_free(tail);
}

const struct workload image_workloads[] = {
	{ "image-unbound", "a 16384x16384 image with memory for its mip tail only", tail_only },
	{ "image-window", "a window of 8x8 tiles that walks over a 16384x16384 image", window },
	{ "image-3d", "500 random tiles of a 512x512x512 image bound, then unbound", volume },
	{ "image-array-mips", "16 layers with all mips: every other tile, then every level bound and unbound", array_mips },
	{ 0 },
};
