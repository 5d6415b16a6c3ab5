/* Sparse buffers and images, and the calls that bind memory to them: one resource a call, each waited for. */
#ifndef RESOURCE_H
#define RESOURCE_H

#include "gpu.h"

/* A buffer of `bytes` with no memory, resident in parts where the device can do that. */
VkBuffer buffer_create(uint64_t bytes, VkMemoryRequirements *needs);
void buffer_destroy(VkBuffer buffer);
void buffer_bind(VkBuffer buffer, const VkSparseMemoryBind *binds, uint32_t count);

/* An image with no memory; the numbers that its tiles are made of. */
struct image {
	VkImage handle;
	VkExtent3D extent, tile; /* texels */
	uint32_t mips, layers;
	uint32_t tail_mip; /* the first level that lies in the tail; `mips` where there is none */
	uint64_t tile_bytes; /* of memory, a multiple of the alignment */
	VkMemoryRequirements needs;
	VkSparseImageMemoryRequirements sparse; /* of the colour aspect */
};

struct image_format {
	VkImageType type;
	VkFormat format;
	uint32_t texel_bytes;
};

/* @returns 0, with the reason printed, when the device cannot do it */
int image_create(struct image *image, const struct image_format *format, VkExtent3D extent, uint32_t mips, uint32_t layers);
void image_destroy(struct image *image);
void image_bind(const struct image *image, const VkSparseImageMemoryBind *binds, uint32_t count);

/* Tiles across, down and deep at a mip level. */
VkExtent3D image_tiles(const struct image *image, uint32_t mip);
/* The bind of one tile of mip 0, cut at the image's edge; without memory it is an unbind. */
VkSparseImageMemoryBind image_tile(const struct image *image, uint32_t layer, VkOffset3D tile, VkDeviceMemory memory,
				   uint64_t offset);
/* The bind of a whole layer of a level. */
VkSparseImageMemoryBind image_level(const struct image *image, uint32_t mip, uint32_t layer, VkDeviceMemory memory,
				    uint64_t offset);
/* Bind memory made for it to the mip tails. @returns that memory, or VK_NULL_HANDLE where there is no tail */
VkDeviceMemory image_bind_tail(const struct image *image);
void image_unbind_tail(const struct image *image);

#endif
