/*
 * One Vulkan device without a window: the entry points that sparse binding needs, the device's properties, one queue that
 * binds sparse memory and one fence. Everything ends the program with a sentence where Vulkan refuses.
 */
#ifndef GPU_H
#define GPU_H

#include <stdint.h>
#define VK_NO_PROTOTYPES
#include <vulkan/vulkan.h>

#define MIB ((uint64_t)1 << 20)

/* X(name) for each function, by what has to exist before its address can be asked for. */
#define GPU_INSTANCE_FUNCTIONS(X) \
	X(DestroyInstance) X(EnumeratePhysicalDevices) X(GetPhysicalDeviceProperties) X(GetPhysicalDeviceProperties2) X(GetPhysicalDeviceFeatures) \
	X(GetPhysicalDeviceQueueFamilyProperties) X(GetPhysicalDeviceMemoryProperties) \
	X(GetPhysicalDeviceImageFormatProperties) X(GetPhysicalDeviceSparseImageFormatProperties) \
	X(CreateDevice) X(GetDeviceProcAddr)
#define GPU_DEVICE_FUNCTIONS(X) \
	X(DestroyDevice) X(GetDeviceQueue) X(DeviceWaitIdle) X(CreateFence) X(DestroyFence) X(WaitForFences) X(ResetFences) \
	X(CreateBuffer) X(DestroyBuffer) X(GetBufferMemoryRequirements) \
	X(CreateImage) X(DestroyImage) X(GetImageMemoryRequirements) X(GetImageSparseMemoryRequirements) \
	X(AllocateMemory) X(FreeMemory) X(QueueBindSparse)

struct gpu {
#define GPU_MEMBER(name) PFN_vk##name name;
	GPU_INSTANCE_FUNCTIONS(GPU_MEMBER)
	GPU_DEVICE_FUNCTIONS(GPU_MEMBER)
#undef GPU_MEMBER
	VkInstance instance;
	VkPhysicalDevice physical;
	VkDevice device;
	VkQueue queue;
	VkFence fence;
	VkPhysicalDeviceProperties properties;
	VkPhysicalDeviceFeatures features;
	VkPhysicalDeviceMemoryProperties memory;
	uint32_t bind_calls;
};

/* The one device that this program drives. */
extern struct gpu gpu;

/* Open the Vulkan driver `library` itself, or with NULL the system's loader; make a device with all sparse features it has. */
void gpu_open(const char *library);
void gpu_close(void);

/* Device memory of one of the types in `type_bits`, near the GPU where there is a choice. */
VkDeviceMemory gpu_allocate(uint64_t bytes, uint32_t type_bits);
void gpu_free(VkDeviceMemory memory);

/* Say what happens next: on standard error with -v, and in a recording that `vmbind live --trace` makes. */
void mark(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern int mark_aloud;

/* End the program: what was asked for, and why it cannot be had. */
_Noreturn void give_up(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* End the program unless a Vulkan call succeeded. */
void must(VkResult result, const char *call);
#define MUST(call) must((call), #call)

#endif
