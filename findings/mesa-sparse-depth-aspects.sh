#!/bin/sh
# Two of Mesa's drivers name the wrong aspects, one of them the wrong blocks too, for sparse depth and stencil images.
#
# Package    mesa-vulkan-drivers and mesa-drm-shim 26.2.6-1 (Debian sid, 2026-11-29): lavapipe; turnip on Mesa's own stand-in for an
#            Adreno 750. Lavapipe of 25.0.7-2+deb13u1 (trixie) does the same
# Expected   The Vulkan specification of VkSparseImageFormatProperties: aspectMask says for which aspects the block is, one element for
#            each aspect or set of aspects that is bound together, and both queries, of the format and of an image, use it. A depth
#            image has no color aspect. A client finds the element of the aspect that it binds by this mask.
# Seen       lavapipe: COLOR for depth and for stencil formats, in both queries; there is no element for DEPTH or STENCIL.
#            turnip, D32_SFLOAT_S8_UINT: of the format COLOR and DEPTH, both with the stencil's block of 256x256; of the image, rightly,
#            DEPTH with 128x128 and STENCIL with 256x256.
# Matters    A client that looks up DEPTH finds nothing on lavapipe, and on turnip a block four times too large.
. "$(dirname "$0")/base/debian.sh"

unpack sid mesa-vulkan-drivers=26.2.6-1 mesa-drm-shim=26.2.6-1 libvulkan-dev=1.4.363.0-1

compile client -l:libvulkan.so.1 -L"$libraries" -Wl,--allow-shlib-undefined <<'C'
#include "device.h"

static void print(const char *query, const VkSparseImageFormatProperties *properties) {
  printf("  %s aspects %x block %ux%u\n", query, properties->aspectMask, properties->imageGranularity.width,
         properties->imageGranularity.height);
}

static void ask(const char *name, VkFormat format) {
  VkImageCreateInfo info = sparse_image(format, 1024, 1024);
  VkImageFormatProperties limits;
  if (vkGetPhysicalDeviceImageFormatProperties(gpu, format, info.imageType, info.tiling, info.usage, info.flags, &limits))
    return;
  printf("%s\n", name);
  VkSparseImageFormatProperties of_format[4];
  uint32_t count = 4;
  vkGetPhysicalDeviceSparseImageFormatProperties(gpu, format, info.imageType, info.samples, info.usage, info.tiling,
                                                 &count, of_format);
  for (uint32_t i = 0; i < count; i++) print("format", &of_format[i]);
  VkImage image;
  CHECK(vkCreateImage(device, &info, NULL, &image));
  VkSparseImageMemoryRequirements of_image[4];
  count = 4;
  vkGetImageSparseMemoryRequirements(device, image, &count, of_image);
  for (uint32_t i = 0; i < count; i++) print("image ", &of_image[i].formatProperties);
}

int main(void) {
  open_gpu(NO_VALIDATION);
  open_device();
  ask("D32_SFLOAT", VK_FORMAT_D32_SFLOAT);
  ask("S8_UINT", VK_FORMAT_S8_UINT);
  ask("D32_SFLOAT_S8_UINT", VK_FORMAT_D32_SFLOAT_S8_UINT);
  return 0;
}
C

export XDG_RUNTIME_DIR="$lab"
icd=$root/usr/share/vulkan/icd.d
VK_DRIVER_FILES=$icd/lvp_icd.json run "$lab/client" >"$lab/lavapipe" || cannot "no lavapipe"
VK_DRIVER_FILES=$icd/freedreno_icd.json FD_GPU_ID=750 \
  run --preload "$libraries/libfreedreno_noop_drm_shim.so" "$lab/client" >"$lab/turnip" || cannot "no turnip"
cat "$lab/lavapipe" "$lab/turnip"

# Aspects: 1 color, 2 depth, 4 stencil.
sed 1d "$lab/lavapipe" | diff -u - /dev/fd/3 3<<'LOG' || changed "lavapipe answers otherwise"
D32_SFLOAT
  format aspects 1 block 128x128
  image  aspects 1 block 128x128
S8_UINT
  format aspects 1 block 256x256
  image  aspects 1 block 256x256
D32_SFLOAT_S8_UINT
  format aspects 1 block 128x64
  image  aspects 1 block 128x64
LOG
diff -u "$lab/turnip" - <<'LOG' || changed "turnip answers otherwise"
Turnip Adreno (TM) 750
D32_SFLOAT
  format aspects 2 block 128x128
  image  aspects 2 block 128x128
S8_UINT
  format aspects 4 block 256x256
  image  aspects 4 block 256x256
D32_SFLOAT_S8_UINT
  format aspects 1 block 256x256
  format aspects 2 block 256x256
  image  aspects 2 block 128x128
  image  aspects 4 block 256x256
LOG
holds
