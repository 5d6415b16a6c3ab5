#!/bin/sh
# Two of Mesa's drivers put the mip tail of sparse images at an offset at which it may not be bound.
#
# Package    mesa-vulkan-drivers and mesa-drm-shim 26.2.6-1 (Debian sid, 2026-11-29): turnip and honeykrisp on Mesa's own stand-ins for
#            an Adreno 750 and an M1
# Expected   The Vulkan specification: imageMipTailOffset is the resourceOffset to bind the mip tail at (VkSparseImageMemoryRequirements);
#            a resourceOffset in an image is a multiple of the image's alignment (VUID-VkSparseMemoryBind-resourceOffset-09492) and less
#            than the size of the resource (VUID-VkSparseMemoryBind-resourceOffset-01099).
# Seen       turnip, R8G8_UNORM, 600x500, 10 levels, 3 layers: alignment 0x10000, offset 0xc8000, and 0xe8000 more for each further
#            layer; R8G8B8A8_UNORM of the same size is in order. honeykrisp: offset 0x6d74000000000000, for an image of 0x2d0000 bytes
#            as for one of 0x530000. The validation layer refuses these binds.
# Matters    A client has no valid way to bind these levels; one that rounds turnip's offset binds something else, and one that keeps a
#            table by offset up to the image's size has no room for honeykrisp's.
. "$(dirname "$0")/base/debian.sh"

unpack sid mesa-vulkan-drivers=26.2.6-1 mesa-drm-shim=26.2.6-1 libvulkan-dev=1.4.363.0-1 vulkan-validationlayers=1.4.363.0-1

compile client -l:libvulkan.so.1 -L"$libraries" -Wl,--allow-shlib-undefined <<'C'
#include "device.h"

static void ask(const char *name, VkFormat format) {
  VkImageCreateInfo info = sparse_image(format, 600, 500);
  info.mipLevels = 10;
  info.arrayLayers = 3;
  VkImage image;
  CHECK(vkCreateImage(device, &info, NULL, &image));
  VkMemoryRequirements needs;
  vkGetImageMemoryRequirements(device, image, &needs);
  VkSparseImageMemoryRequirements sparse;
  uint32_t count = 1;
  vkGetImageSparseMemoryRequirements(device, image, &count, &sparse);
  printf("%s alignment 0x%llx, size 0x%llx, mip tail at 0x%llx, size 0x%llx, stride 0x%llx\n", name,
         (unsigned long long)needs.alignment, (unsigned long long)needs.size,
         (unsigned long long)sparse.imageMipTailOffset, (unsigned long long)sparse.imageMipTailSize,
         (unsigned long long)sparse.imageMipTailStride);
  VkMemoryAllocateInfo allocation = {VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .allocationSize = sparse.imageMipTailSize};
  VkDeviceMemory memory;
  CHECK(vkAllocateMemory(device, &allocation, NULL, &memory));
  VkSparseMemoryBind tail = {.resourceOffset = sparse.imageMipTailOffset, .size = sparse.imageMipTailSize, .memory = memory};
  VkSparseImageOpaqueMemoryBindInfo opaque = {image, 1, &tail};
  VkBindSparseInfo bind = {VK_STRUCTURE_TYPE_BIND_SPARSE_INFO, .imageOpaqueBindCount = 1, .pImageOpaqueBinds = &opaque};
  CHECK(vkQueueBindSparse(queue, 1, &bind, VK_NULL_HANDLE));
}

int main(void) {
  open_gpu(VALIDATION);
  open_device();
  ask("R8G8B8A8", VK_FORMAT_R8G8B8A8_UNORM);
  ask("R8G8", VK_FORMAT_R8G8_UNORM);
  printf("end\n");
  return 0;
}
C

ask() {
  VK_DRIVER_FILES=$root/usr/share/vulkan/icd.d/$2_icd.json VK_LAYER_PATH=$root/usr/share/vulkan/explicit_layer.d \
    XDG_RUNTIME_DIR=$lab FD_GPU_ID=750 \
    run --preload "$libraries/lib$2_noop_drm_shim.so" "$lab/client" >"$lab/$1" 2>"$lab/errors" ||
    { cat "$lab/$1" "$lab/errors" >&2; cannot "no $1"; }
  cat "$lab/$1"
}

ask turnip freedreno
ask honeykrisp asahi
diff -u "$lab/turnip" - <<'LOG' || changed "turnip answers otherwise"
Turnip Adreno (TM) 750
R8G8B8A8 alignment 0x10000, size 0x540000, mip tail at 0x190000, size 0x30000, stride 0x1c0000
R8G8 alignment 0x10000, size 0x2c0000, mip tail at 0xc8000, size 0x20000, stride 0xe8000
  VUID-VkSparseMemoryBind-resourceOffset-09492
end
LOG
diff -u "$lab/honeykrisp" - <<'LOG' || changed "honeykrisp answers otherwise"
Apple M1 (G13G A0)
R8G8B8A8 alignment 0x10000, size 0x530000, mip tail at 0x6d74000000000000, size 0x30000, stride 0x0
  VUID-VkSparseMemoryBind-resourceOffset-01099
R8G8 alignment 0x10000, size 0x2d0000, mip tail at 0x6d74000000000000, size 0x20000, stride 0x0
  VUID-VkSparseMemoryBind-resourceOffset-01099
end
LOG
holds
