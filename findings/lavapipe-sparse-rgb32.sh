#!/bin/sh
# lavapipe's sparse images of 96-bit texels are smaller than the blocks that they consist of.
#
# Package    mesa-vulkan-drivers 26.2.6-1 (Debian sid, 2026-11-29), lavapipe; 25.0.7-2+deb13u1 (trixie) does the same
# Expected   The Vulkan specification of VkMemoryRequirements: of a sparse image whose blocks may be missing, alignment is the size of a
#            block in bytes. So the image is at least as large as its blocks together.
# Seen       256x256 texels of R32G32B32_UINT: 16 blocks of 64x64 texels and 0x10000 bytes each, in an image of 0xc0000 bytes, which is
#            12 of them. R32G32B32A32_UINT has the same blocks, and 0x100000 bytes.
# Matters    A client that divides the size by the alignment, as the block's size lets it, allocates memory for three quarters of the
#            image; one that binds by offset finds that the last blocks lie behind the end.
. "$(dirname "$0")/base/debian.sh"

unpack sid mesa-vulkan-drivers=26.2.6-1 libvulkan-dev=1.4.363.0-1

compile client -l:libvulkan.so.1 -L"$libraries" -Wl,--allow-shlib-undefined <<'C'
#include "device.h"

#define SIZE 256

static void ask(const char *name, VkFormat format) {
  VkImageCreateInfo info = sparse_image(format, SIZE, SIZE);
  VkImageFormatProperties limits;
  CHECK(vkGetPhysicalDeviceImageFormatProperties(gpu, format, info.imageType, info.tiling, info.usage, info.flags, &limits));
  VkImage image;
  CHECK(vkCreateImage(device, &info, NULL, &image));
  VkMemoryRequirements needs;
  vkGetImageMemoryRequirements(device, image, &needs);
  VkSparseImageMemoryRequirements sparse;
  uint32_t count = 1;
  vkGetImageSparseMemoryRequirements(device, image, &count, &sparse);
  VkExtent3D block = sparse.formatProperties.imageGranularity;
  printf("%s %u blocks of %ux%u, first level in the mip tail %u, alignment 0x%llx, size 0x%llx\n", name,
         SIZE / block.width * (SIZE / block.height), block.width, block.height, sparse.imageMipTailFirstLod,
         (unsigned long long)needs.alignment, (unsigned long long)needs.size);
}

int main(void) {
  open_gpu(NO_VALIDATION);
  open_device();
  ask("R32G32B32A32", VK_FORMAT_R32G32B32A32_UINT);
  ask("R32G32B32", VK_FORMAT_R32G32B32_UINT);
  return 0;
}
C

VK_DRIVER_FILES=$root/usr/share/vulkan/icd.d/lvp_icd.json run "$lab/client" >"$lab/log" || cannot "no lavapipe"
cat "$lab/log"
sed 1d "$lab/log" | diff -u - /dev/fd/3 3<<'LOG' || changed "lavapipe answers otherwise"
R32G32B32A32 16 blocks of 64x64, first level in the mip tail 1, alignment 0x10000, size 0x100000
R32G32B32 16 blocks of 64x64, first level in the mip tail 1, alignment 0x10000, size 0xc0000
LOG
holds
