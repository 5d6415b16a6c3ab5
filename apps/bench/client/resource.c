/* See resource.h. */
#include "resource.h"
#include <stdio.h>
#include <stdlib.h>

/* One vkQueueBindSparse with a fence, waited for: no two calls of this program overlap in time. */
static void submit(VkBindSparseInfo info, const char *kind, uint32_t binds, uint32_t unbinds)
{
	info.sType = VK_STRUCTURE_TYPE_BIND_SPARSE_INFO;
	mark("bind-sparse call=%u %s binds=%u unbinds=%u", gpu.bind_calls++, kind, binds, unbinds);
	MUST(gpu.QueueBindSparse(gpu.queue, 1, &info, gpu.fence));
	MUST(gpu.WaitForFences(gpu.device, 1, &gpu.fence, VK_TRUE, UINT64_MAX));
	MUST(gpu.ResetFences(gpu.device, 1, &gpu.fence));
}

static uint32_t with_memory(const VkSparseMemoryBind *binds, uint32_t count)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < count; i++) n += binds[i].memory != VK_NULL_HANDLE;
	return n;
}

VkBuffer buffer_create(uint64_t bytes, VkMemoryRequirements *needs)
{
	VkBufferCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
		.flags = VK_BUFFER_CREATE_SPARSE_BINDING_BIT,
		.size = bytes,
		.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
			 VK_BUFFER_USAGE_TRANSFER_DST_BIT,
		.sharingMode = VK_SHARING_MODE_EXCLUSIVE,
	};
	if (gpu.features.sparseResidencyBuffer) info.flags |= VK_BUFFER_CREATE_SPARSE_RESIDENCY_BIT;
	VkBuffer buffer;
	MUST(gpu.CreateBuffer(gpu.device, &info, NULL, &buffer));
	gpu.GetBufferMemoryRequirements(gpu.device, buffer, needs);
	return buffer;
}

void buffer_destroy(VkBuffer buffer)
{
	gpu.DestroyBuffer(gpu.device, buffer, NULL);
}

void buffer_bind(VkBuffer buffer, const VkSparseMemoryBind *binds, uint32_t count)
{
	VkSparseBufferMemoryBindInfo of_buffer = { .buffer = buffer, .bindCount = count, .pBinds = binds };
	uint32_t n = with_memory(binds, count);
	submit((VkBindSparseInfo){ .bufferBindCount = 1, .pBufferBinds = &of_buffer }, "buffer", n, count - n);
}

/* Why the device cannot make such an image, or NULL. */
static const char *unsupported(const VkImageCreateInfo *info)
{
	if (info->imageType == VK_IMAGE_TYPE_2D ? !gpu.features.sparseResidencyImage2D : !gpu.features.sparseResidencyImage3D)
		return "no sparse residency of such images";
	VkImageFormatProperties limits;
	if (gpu.GetPhysicalDeviceImageFormatProperties(gpu.physical, info->format, info->imageType, info->tiling, info->usage,
						       info->flags, &limits) != VK_SUCCESS)
		return "no sparse images of this format";
	if (limits.maxExtent.width < info->extent.width || limits.maxExtent.height < info->extent.height ||
	    limits.maxExtent.depth < info->extent.depth || limits.maxMipLevels < info->mipLevels ||
	    limits.maxArrayLayers < info->arrayLayers)
		return "the image is larger than the device allows";
	uint32_t count = 0;
	gpu.GetPhysicalDeviceSparseImageFormatProperties(gpu.physical, info->format, info->imageType, info->samples,
							 info->usage, info->tiling, &count, NULL);
	return count == 0 ? "the format has no sparse properties" : NULL;
}

int image_create(struct image *image, const struct image_format *format, VkExtent3D extent, uint32_t mips, uint32_t layers)
{
	VkImageCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
		.flags = VK_IMAGE_CREATE_SPARSE_BINDING_BIT | VK_IMAGE_CREATE_SPARSE_RESIDENCY_BIT,
		.imageType = format->type,
		.format = format->format,
		.extent = extent,
		.mipLevels = mips,
		.arrayLayers = layers,
		.samples = VK_SAMPLE_COUNT_1_BIT,
		.tiling = VK_IMAGE_TILING_OPTIMAL,
		.usage = VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
		.sharingMode = VK_SHARING_MODE_EXCLUSIVE,
		.initialLayout = VK_IMAGE_LAYOUT_UNDEFINED,
	};
	const char *reason = unsupported(&info);
	if (reason) {
		printf("skipped: %s (format %d)\n", reason, format->format);
		return 0;
	}
	*image = (struct image){ .extent = extent, .mips = mips, .layers = layers };
	mark("create");
	MUST(gpu.CreateImage(gpu.device, &info, NULL, &image->handle));
	mark("requirements");
	gpu.GetImageMemoryRequirements(gpu.device, image->handle, &image->needs);
	uint32_t count = 0;
	gpu.GetImageSparseMemoryRequirements(gpu.device, image->handle, &count, NULL);
	if (count == 0) give_up("the image has no sparse requirements");
	VkSparseImageMemoryRequirements aspect[count];
	gpu.GetImageSparseMemoryRequirements(gpu.device, image->handle, &count, aspect);
	image->sparse = aspect[0];
	for (uint32_t i = 0; i < count; i++)
		if (aspect[i].formatProperties.aspectMask & VK_IMAGE_ASPECT_COLOR_BIT) image->sparse = aspect[i];
	image->tile = image->sparse.formatProperties.imageGranularity;
	uint64_t bytes = (uint64_t)image->tile.width * image->tile.height * image->tile.depth * format->texel_bytes;
	uint64_t unit = image->needs.alignment;
	image->tile_bytes = (bytes + unit - 1) / unit * unit;
	int has_tail = image->sparse.imageMipTailSize > 0 && image->sparse.imageMipTailFirstLod < mips;
	image->tail_mip = has_tail ? image->sparse.imageMipTailFirstLod : mips;
	return 1;
}

void image_destroy(struct image *image)
{
	gpu.DestroyImage(gpu.device, image->handle, NULL);
}

void image_bind(const struct image *image, const VkSparseImageMemoryBind *binds, uint32_t count)
{
	VkSparseImageMemoryBindInfo of_image = { .image = image->handle, .bindCount = count, .pBinds = binds };
	uint32_t n = 0;
	for (uint32_t i = 0; i < count; i++) n += binds[i].memory != VK_NULL_HANDLE;
	submit((VkBindSparseInfo){ .imageBindCount = 1, .pImageBinds = &of_image }, "image", n, count - n);
}

static uint32_t at_level(uint32_t texels, uint32_t mip)
{
	return texels >> mip ? texels >> mip : 1;
}

static uint32_t tiles(uint32_t texels, uint32_t mip, uint32_t tile)
{
	return (at_level(texels, mip) + tile - 1) / tile;
}

VkExtent3D image_tiles(const struct image *image, uint32_t mip)
{
	return (VkExtent3D){
		tiles(image->extent.width, mip, image->tile.width),
		tiles(image->extent.height, mip, image->tile.height),
		tiles(image->extent.depth, mip, image->tile.depth),
	};
}

static uint32_t cut(uint32_t tile, uint32_t from, uint32_t end)
{
	return end - from < tile ? end - from : tile;
}

VkSparseImageMemoryBind image_tile(const struct image *image, uint32_t layer, VkOffset3D tile, VkDeviceMemory memory,
				   uint64_t offset)
{
	uint32_t x = (uint32_t)tile.x * image->tile.width;
	uint32_t y = (uint32_t)tile.y * image->tile.height;
	uint32_t z = (uint32_t)tile.z * image->tile.depth;
	return (VkSparseImageMemoryBind){
		.subresource = { VK_IMAGE_ASPECT_COLOR_BIT, 0, layer },
		.offset = { (int32_t)x, (int32_t)y, (int32_t)z },
		.extent = { cut(image->tile.width, x, image->extent.width), cut(image->tile.height, y, image->extent.height),
			    cut(image->tile.depth, z, image->extent.depth) },
		.memory = memory,
		.memoryOffset = memory == VK_NULL_HANDLE ? 0 : offset,
	};
}

VkSparseImageMemoryBind image_level(const struct image *image, uint32_t mip, uint32_t layer, VkDeviceMemory memory,
				    uint64_t offset)
{
	return (VkSparseImageMemoryBind){
		.subresource = { VK_IMAGE_ASPECT_COLOR_BIT, mip, layer },
		.extent = { at_level(image->extent.width, mip), at_level(image->extent.height, mip),
			    at_level(image->extent.depth, mip) },
		.memory = memory,
		.memoryOffset = memory == VK_NULL_HANDLE ? 0 : offset,
	};
}

/* A device keeps the tails of all layers together, or one for each. */
static uint32_t tail_count(const struct image *image)
{
	return image->sparse.formatProperties.flags & VK_SPARSE_IMAGE_FORMAT_SINGLE_MIPTAIL_BIT ? 1 : image->layers;
}

static void submit_tail(const struct image *image, VkDeviceMemory memory)
{
	uint32_t count = tail_count(image), n = memory == VK_NULL_HANDLE ? 0 : count;
	VkSparseMemoryBind binds[count];
	for (uint32_t i = 0; i < count; i++) {
		binds[i] = (VkSparseMemoryBind){
			.resourceOffset = image->sparse.imageMipTailOffset + i * image->sparse.imageMipTailStride,
			.size = image->sparse.imageMipTailSize,
			.memory = memory,
			.memoryOffset = n ? i * image->sparse.imageMipTailSize : 0,
		};
	}
	VkSparseImageOpaqueMemoryBindInfo opaque = { .image = image->handle, .bindCount = count, .pBinds = binds };
	submit((VkBindSparseInfo){ .imageOpaqueBindCount = 1, .pImageOpaqueBinds = &opaque }, "image-opaque", n, count - n);
}

VkDeviceMemory image_bind_tail(const struct image *image)
{
	if (image->tail_mip == image->mips) return VK_NULL_HANDLE;
	mark("bind-mip-tail");
	VkDeviceMemory memory = gpu_allocate(image->sparse.imageMipTailSize * tail_count(image), image->needs.memoryTypeBits);
	submit_tail(image, memory);
	return memory;
}

void image_unbind_tail(const struct image *image)
{
	if (image->tail_mip == image->mips) return;
	mark("unbind-mip-tail");
	submit_tail(image, VK_NULL_HANDLE);
}
