#!/bin/sh
# Synchronization validation does not follow a semaphore through vkQueueBindSparse, and reports a hazard that is none.
#
# Package    vulkan-validationlayers 1.4.309.0-1, on lavapipe of mesa-vulkan-drivers 25.0.7-2+deb13u1 (Debian trixie); the same with
#            1.4.363.0-1 on 26.2.6-1 (sid, 2026-11-29)
# Expected   The Vulkan specification, "Semaphore Signaling" and "Semaphore Waiting": a batch of sparse binds that waits for a
#            semaphore and signals another comes after what signalled the first, and before what waits for the second. So a submission,
#            a bind and a submission, each waiting for the one before, are in order, as the two submissions alone would be.
# Seen       Two submissions write one buffer, in order by a semaphore: nothing reported. The same with a bind of some other, sparse
#            buffer between them, by a semaphore each: SYNC-HAZARD-WRITE-AFTER-WRITE, "no sufficient synchronization is present".
# Matters    It is how a sparse resource is streamed: draw, bind, draw. Every resource that both draws touch gets such a report, not
#            only the sparse one.
. "$(dirname "$0")/base/debian.sh"

unpack trixie vulkan-validationlayers=1.4.309.0-1 mesa-vulkan-drivers=25.0.7-2+deb13u1 libvulkan-dev=1.4.309.0-1

compile client -l:libvulkan.so.1 -L"$libraries" -Wl,--allow-shlib-undefined <<'C'
#include "device.h"

#define SIZE 65536

static VkBuffer make_buffer(VkBufferCreateFlags flags, VkDeviceMemory *memory) {
  VkBufferCreateInfo info = {VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                             .flags = flags,
                             .size = SIZE,
                             .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT};
  VkBuffer buffer;
  CHECK(vkCreateBuffer(device, &info, NULL, &buffer));
  VkMemoryRequirements needs;
  vkGetBufferMemoryRequirements(device, buffer, &needs);
  VkMemoryAllocateInfo allocation = {VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .allocationSize = needs.size};
  CHECK(vkAllocateMemory(device, &allocation, NULL, memory));
  return buffer;
}

static VkSemaphore make_semaphore(void) {
  VkSemaphoreCreateInfo info = {VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO};
  VkSemaphore semaphore;
  CHECK(vkCreateSemaphore(device, &info, NULL, &semaphore));
  return semaphore;
}

static VkCommandPool pool;

/* Fills the buffer, after `wait` and before `signal` where there are such. */
static void submit_fill(VkBuffer buffer, uint32_t value, VkSemaphore wait, VkSemaphore signal) {
  VkCommandBufferAllocateInfo allocation = {
    VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO, .commandPool = pool, .commandBufferCount = 1};
  VkCommandBuffer commands;
  CHECK(vkAllocateCommandBuffers(device, &allocation, &commands));
  VkCommandBufferBeginInfo begin = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
  CHECK(vkBeginCommandBuffer(commands, &begin));
  vkCmdFillBuffer(commands, buffer, 0, VK_WHOLE_SIZE, value);
  CHECK(vkEndCommandBuffer(commands));
  VkPipelineStageFlags all = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
  VkSubmitInfo submit = {VK_STRUCTURE_TYPE_SUBMIT_INFO,
                         .waitSemaphoreCount = wait != VK_NULL_HANDLE,
                         .pWaitSemaphores = &wait,
                         .pWaitDstStageMask = &all,
                         .commandBufferCount = 1,
                         .pCommandBuffers = &commands,
                         .signalSemaphoreCount = signal != VK_NULL_HANDLE,
                         .pSignalSemaphores = &signal};
  CHECK(vkQueueSubmit(queue, 1, &submit, VK_NULL_HANDLE));
}

static void bind(VkBuffer sparse, VkDeviceMemory memory, VkSemaphore wait, VkSemaphore signal) {
  VkSparseMemoryBind range = {.size = SIZE, .memory = memory};
  VkSparseBufferMemoryBindInfo buffer = {sparse, 1, &range};
  VkBindSparseInfo info = {VK_STRUCTURE_TYPE_BIND_SPARSE_INFO,
                           .waitSemaphoreCount = 1,
                           .pWaitSemaphores = &wait,
                           .bufferBindCount = 1,
                           .pBufferBinds = &buffer,
                           .signalSemaphoreCount = 1,
                           .pSignalSemaphores = &signal};
  CHECK(vkQueueBindSparse(queue, 1, &info, VK_NULL_HANDLE));
}

int main(void) {
  open_gpu(SYNC_VALIDATION);
  open_device();
  VkCommandPoolCreateInfo pools = {VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO};
  CHECK(vkCreateCommandPool(device, &pools, NULL, &pool));

  VkDeviceMemory memory, backing;
  VkBuffer buffer = make_buffer(0, &memory);
  CHECK(vkBindBufferMemory(device, buffer, memory, 0));
  VkBuffer sparse = make_buffer(VK_BUFFER_CREATE_SPARSE_BINDING_BIT, &backing);
  VkSemaphore first = make_semaphore(), second = make_semaphore();

  printf("fill, fill\n");
  submit_fill(buffer, 1, VK_NULL_HANDLE, first);
  submit_fill(buffer, 2, first, VK_NULL_HANDLE);
  CHECK(vkQueueWaitIdle(queue));
  printf("fill, bind, fill\n");
  submit_fill(buffer, 3, VK_NULL_HANDLE, first);
  bind(sparse, backing, first, second);
  submit_fill(buffer, 4, second, VK_NULL_HANDLE);
  CHECK(vkQueueWaitIdle(queue));
  printf("end\n");
  return 0;
}
C

VK_DRIVER_FILES=$root/usr/share/vulkan/icd.d/lvp_icd.json VK_LAYER_PATH=$root/usr/share/vulkan/explicit_layer.d \
  XDG_RUNTIME_DIR=$lab run "$lab/client" >"$lab/log" 2>"$lab/errors" ||
  { cat "$lab/log" "$lab/errors" >&2; cannot "no device"; }
cat "$lab/log"

sed 1d "$lab/log" | diff -u - /dev/fd/3 3<<'LOG' || changed "other reports"
fill, fill
fill, bind, fill
  SYNC-HAZARD-WRITE-AFTER-WRITE
end
LOG
holds
