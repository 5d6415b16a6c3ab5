#!/bin/sh
# honeykrisp has no sparse 3D images, says so among its features, and describes them when asked for their blocks.
#
# Package    mesa-vulkan-drivers and mesa-drm-shim 26.2.6-1 (Debian sid, 2026-11-29), honeykrisp on Mesa's own stand-in for an M1
# Expected   The Vulkan specification of vkGetPhysicalDeviceSparseImageFormatProperties: the count is zero where sparse residency is
#            not supported for the arguments; and vkGetPhysicalDeviceImageFormatProperties is VK_ERROR_FORMAT_NOT_SUPPORTED for flags
#            that are not. sparseResidencyImage3D says whether 3D images can be partly resident at all.
# Seen       sparseResidencyImage3D is false; for 3D images of R8G8B8A8_UNORM, one element, with a block of 128x128x1, that is a 2D one,
#            and VK_SUCCESS.
# Matters    A client that goes by the queries, which say more than the features, makes an image that it may not make.
. "$(dirname "$0")/base/debian.sh"

unpack sid mesa-vulkan-drivers=26.2.6-1 mesa-drm-shim=26.2.6-1 libvulkan-dev=1.4.363.0-1

compile client -l:libvulkan.so.1 -L"$libraries" -Wl,--allow-shlib-undefined <<'C'
#include "device.h"

static void ask(const char *name, VkImageType type, VkBool32 feature) {
  VkImageUsageFlags usage = VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT;
  VkSparseImageFormatProperties properties = {0};
  uint32_t count = 1;
  vkGetPhysicalDeviceSparseImageFormatProperties(gpu, VK_FORMAT_R8G8B8A8_UNORM, type, VK_SAMPLE_COUNT_1_BIT, usage,
                                                 VK_IMAGE_TILING_OPTIMAL, &count, &properties);
  VkImageFormatProperties limits;
  VkResult result = vkGetPhysicalDeviceImageFormatProperties(
    gpu, VK_FORMAT_R8G8B8A8_UNORM, type, VK_IMAGE_TILING_OPTIMAL, usage,
    VK_IMAGE_CREATE_SPARSE_BINDING_BIT | VK_IMAGE_CREATE_SPARSE_RESIDENCY_BIT, &limits);
  VkExtent3D block = properties.imageGranularity;
  printf("%s feature %u, sparse properties %u, block %ux%ux%u, image properties %d\n", name, feature, count, block.width,
         block.height, block.depth, result);
}

int main(void) {
  open_gpu(NO_VALIDATION);
  ask("2D", VK_IMAGE_TYPE_2D, features.sparseResidencyImage2D);
  ask("3D", VK_IMAGE_TYPE_3D, features.sparseResidencyImage3D);
  return 0;
}
C

VK_DRIVER_FILES=$root/usr/share/vulkan/icd.d/asahi_icd.json XDG_RUNTIME_DIR=$lab \
  run --preload "$libraries/libasahi_noop_drm_shim.so" "$lab/client" >"$lab/log" || cannot "no honeykrisp"
cat "$lab/log"
sed 1d "$lab/log" | diff -u - /dev/fd/3 3<<'LOG' || changed "honeykrisp answers otherwise"
2D feature 1, sparse properties 1, block 128x128x1, image properties 0
3D feature 0, sparse properties 1, block 128x128x1, image properties 0
LOG
holds
