#!/bin/sh
# Three of Mesa's drivers describe sparse images that they do not have.
#
# Package    mesa-vulkan-drivers and mesa-drm-shim 26.2.6-1 (Debian sid, 2026-11-29): lavapipe; turnip and honeykrisp on Mesa's own
#            stand-ins for an Adreno 740 and an M1
# Expected   The Vulkan specification of vkGetPhysicalDeviceSparseImageFormatProperties: the count is zero where sparse residency is
#            not supported for the arguments; and vkGetPhysicalDeviceImageFormatProperties is VK_ERROR_FORMAT_NOT_SUPPORTED for flags
#            that are not. sparseResidencyImage2D, sparseResidency4Samples and sparseResidencyImage3D say which images can be partly
#            resident at all; 1D images never can (VUID-VkImageCreateInfo-imageType-00970).
# Seen       For R8G8B8A8_UNORM VK_SUCCESS, and one element: turnip on an Adreno 740, where no image can be partly resident, for 2D
#            images of 1 and 4 samples; honeykrisp for 4 samples and for 3D, there with a 2D block, without the features; lavapipe for
#            1D.
# Matters    A client that goes by the queries, which say more than the features, makes an image that it may not make.
. "$(dirname "$0")/base/debian.sh"

unpack sid mesa-vulkan-drivers=26.2.6-1 mesa-drm-shim=26.2.6-1 libvulkan-dev=1.4.363.0-1

compile client -l:libvulkan.so.1 -L"$libraries" -Wl,--allow-shlib-undefined <<'C'
#include "device.h"

static void ask(const char *name, VkImageType type, VkSampleCountFlagBits samples, VkBool32 feature) {
  VkImageUsageFlags usage = VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT;
  VkSparseImageFormatProperties properties = {0};
  uint32_t count = 1;
  vkGetPhysicalDeviceSparseImageFormatProperties(gpu, VK_FORMAT_R8G8B8A8_UNORM, type, samples, usage,
                                                 VK_IMAGE_TILING_OPTIMAL, &count, &properties);
  VkImageFormatProperties limits = {0};
  VkResult result = vkGetPhysicalDeviceImageFormatProperties(
    gpu, VK_FORMAT_R8G8B8A8_UNORM, type, VK_IMAGE_TILING_OPTIMAL, usage,
    VK_IMAGE_CREATE_SPARSE_BINDING_BIT | VK_IMAGE_CREATE_SPARSE_RESIDENCY_BIT, &limits);
  VkExtent3D block = properties.imageGranularity;
  printf("%s feature %u, sparse properties %u, block %ux%ux%u, image properties %d, samples %x\n", name, feature, count,
         block.width, block.height, block.depth, result, limits.sampleCounts);
}

int main(void) {
  open_gpu(NO_VALIDATION);
  ask("1D", VK_IMAGE_TYPE_1D, VK_SAMPLE_COUNT_1_BIT, VK_FALSE);
  ask("2D", VK_IMAGE_TYPE_2D, VK_SAMPLE_COUNT_1_BIT, features.sparseResidencyImage2D);
  ask("2D of 4 samples", VK_IMAGE_TYPE_2D, VK_SAMPLE_COUNT_4_BIT, features.sparseResidency4Samples);
  ask("3D", VK_IMAGE_TYPE_3D, VK_SAMPLE_COUNT_1_BIT, features.sparseResidencyImage3D);
  return 0;
}
C

icd=$root/usr/share/vulkan/icd.d
VK_DRIVER_FILES=$icd/lvp_icd.json run "$lab/client" >"$lab/lavapipe" || cannot "no lavapipe"
VK_DRIVER_FILES=$icd/freedreno_icd.json FD_GPU_ID=740 \
  run --preload "$libraries/libfreedreno_noop_drm_shim.so" "$lab/client" >"$lab/turnip" || cannot "no turnip"
VK_DRIVER_FILES=$icd/asahi_icd.json XDG_RUNTIME_DIR=$lab \
  run --preload "$libraries/libasahi_noop_drm_shim.so" "$lab/client" >"$lab/honeykrisp" || cannot "no honeykrisp"
cat "$lab/lavapipe" "$lab/turnip" "$lab/honeykrisp"
sed 1d "$lab/lavapipe" | diff -u - /dev/fd/3 3<<'LOG' || changed "lavapipe answers otherwise"
1D feature 0, sparse properties 1, block 16384x1x1, image properties 0, samples 1
2D feature 1, sparse properties 1, block 128x128x1, image properties 0, samples d
2D of 4 samples feature 0, sparse properties 0, block 0x0x0, image properties 0, samples d
3D feature 1, sparse properties 1, block 32x32x16, image properties 0, samples 1
LOG
diff -u "$lab/turnip" - <<'LOG' || changed "turnip answers otherwise"
Turnip Adreno (TM) 740
1D feature 0, sparse properties 0, block 0x0x0, image properties -11, samples 0
2D feature 0, sparse properties 1, block 128x128x1, image properties 0, samples f
2D of 4 samples feature 0, sparse properties 1, block 64x64x1, image properties 0, samples f
3D feature 0, sparse properties 0, block 0x0x0, image properties -11, samples 0
LOG
diff -u "$lab/honeykrisp" - <<'LOG' || changed "honeykrisp answers otherwise"
Apple M1 (G13G A0)
1D feature 0, sparse properties 0, block 0x0x0, image properties -11, samples 0
2D feature 1, sparse properties 1, block 128x128x1, image properties 0, samples 7
2D of 4 samples feature 0, sparse properties 1, block 64x64x1, image properties 0, samples 7
3D feature 0, sparse properties 1, block 128x128x1, image properties 0, samples 1
LOG
holds
