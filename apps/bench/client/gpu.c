/* See gpu.h. Nothing is linked but libc: the Vulkan driver is opened when the program runs. */
#define _GNU_SOURCE
#include "gpu.h"
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gpu gpu;
int mark_aloud;

void mark(const char *format, ...)
{
	/* Where a recorder is loaded into this process it has a function of this name. */
	static void (*recorder)(const char *text);
	static int looked;
	if (!looked) {
		*(void **)&recorder = dlsym(RTLD_DEFAULT, "vmbind_mark");
		looked = 1;
	}
	char text[256];
	va_list list;
	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	if (recorder) recorder(text);
	if (mark_aloud) fprintf(stderr, "%s\n", text);
}

void give_up(const char *format, ...)
{
	va_list list;
	fflush(stdout);
	fputs("sparse: ", stderr);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
	exit(1);
}

void must(VkResult result, const char *call)
{
	if (result != VK_SUCCESS) give_up("%.*s: VkResult %d", (int)strcspn(call, "("), call, result);
}

/* A driver is asked by another name than the loader, after both have agreed on an interface version. */
static PFN_vkGetInstanceProcAddr open_library(const char *library)
{
	void *handle = dlopen(library ? library : "libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!handle) give_up("%s", dlerror());
	VkResult (*negotiate)(uint32_t *version);
	*(void **)&negotiate = dlsym(handle, "vk_icdNegotiateLoaderICDInterfaceVersion");
	uint32_t version = 5;
	if (negotiate) MUST(negotiate(&version));
	void *get = dlsym(handle, "vk_icdGetInstanceProcAddr");
	if (!get) get = dlsym(handle, "vkGetInstanceProcAddr");
	if (!get) give_up("%s is no Vulkan library", library);
	return (PFN_vkGetInstanceProcAddr)get;
}

static void *found(PFN_vkVoidFunction function, const char *name)
{
	if (!function) give_up("the driver has no %s", name);
	return (void *)function;
}

static uint32_t sparse_queue_family(void)
{
	uint32_t count = 0;
	gpu.GetPhysicalDeviceQueueFamilyProperties(gpu.physical, &count, NULL);
	VkQueueFamilyProperties family[count];
	gpu.GetPhysicalDeviceQueueFamilyProperties(gpu.physical, &count, family);
	for (uint32_t i = 0; i < count; i++)
		if (family[i].queueFlags & VK_QUEUE_SPARSE_BINDING_BIT) return i;
	give_up("%s has no queue that binds sparse memory", gpu.properties.deviceName);
}

static void open_device(void)
{
	uint32_t count = 1;
	VkResult result = gpu.EnumeratePhysicalDevices(gpu.instance, &count, &gpu.physical);
	if (result != VK_INCOMPLETE) MUST(result);
	if (count == 0) give_up("the driver found no device");
	gpu.GetPhysicalDeviceProperties(gpu.physical, &gpu.properties);
	gpu.GetPhysicalDeviceFeatures(gpu.physical, &gpu.features);
	gpu.GetPhysicalDeviceMemoryProperties(gpu.physical, &gpu.memory);
	if (!gpu.features.sparseBinding) give_up("%s has no sparse binding", gpu.properties.deviceName);

	float priority = 1;
	VkDeviceQueueCreateInfo queue = {
		.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
		.queueFamilyIndex = sparse_queue_family(),
		.queueCount = 1,
		.pQueuePriorities = &priority,
	};
	VkPhysicalDeviceFeatures enabled = {
		.sparseBinding = gpu.features.sparseBinding,
		.sparseResidencyBuffer = gpu.features.sparseResidencyBuffer,
		.sparseResidencyImage2D = gpu.features.sparseResidencyImage2D,
		.sparseResidencyImage3D = gpu.features.sparseResidencyImage3D,
		.sparseResidencyAliased = gpu.features.sparseResidencyAliased,
	};
	VkDeviceCreateInfo device = {
		.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
		.queueCreateInfoCount = 1,
		.pQueueCreateInfos = &queue,
		.pEnabledFeatures = &enabled,
	};
	mark("device-create");
	MUST(gpu.CreateDevice(gpu.physical, &device, NULL, &gpu.device));
#define LOAD(name) gpu.name = found(gpu.GetDeviceProcAddr(gpu.device, "vk" #name), "vk" #name);
	GPU_DEVICE_FUNCTIONS(LOAD)
#undef LOAD
	gpu.GetDeviceQueue(gpu.device, queue.queueFamilyIndex, 0, &gpu.queue);
	VkFenceCreateInfo fence = { .sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO };
	MUST(gpu.CreateFence(gpu.device, &fence, NULL, &gpu.fence));
	mark("device-ready");
}

void gpu_open(const char *library)
{
	PFN_vkGetInstanceProcAddr get = open_library(library);
	PFN_vkCreateInstance create = found(get(NULL, "vkCreateInstance"), "vkCreateInstance");
	VkApplicationInfo application = {
		.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
		/* Mesa keeps options by name of application; the recordings were made under this one. */
		.pApplicationName = "sparse_workload",
		.apiVersion = VK_API_VERSION_1_1,
	};
	VkInstanceCreateInfo info = { .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &application };
	mark("instance-create");
	MUST(create(&info, NULL, &gpu.instance));
#define LOAD(name) gpu.name = found(get(gpu.instance, "vk" #name), "vk" #name);
	GPU_INSTANCE_FUNCTIONS(LOAD)
#undef LOAD
	open_device();
}

void gpu_close(void)
{
	mark("device-destroy");
	gpu.DestroyFence(gpu.device, gpu.fence, NULL);
	gpu.DestroyDevice(gpu.device, NULL);
	gpu.DestroyInstance(gpu.instance, NULL);
	mark("end");
}

VkDeviceMemory gpu_allocate(uint64_t bytes, uint32_t type_bits)
{
	uint32_t chosen = UINT32_MAX;
	for (uint32_t i = 0; i < gpu.memory.memoryTypeCount; i++) {
		VkMemoryPropertyFlags flags = gpu.memory.memoryTypes[i].propertyFlags;
		if (!(type_bits >> i & 1) || flags & VK_MEMORY_PROPERTY_PROTECTED_BIT) continue;
		if (chosen == UINT32_MAX) chosen = i;
		if (flags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT) {
			chosen = i;
			break;
		}
	}
	if (chosen == UINT32_MAX) give_up("no memory type fits 0x%x", type_bits);
	VkMemoryAllocateInfo info = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
		.allocationSize = bytes,
		.memoryTypeIndex = chosen,
	};
	VkDeviceMemory memory;
	MUST(gpu.AllocateMemory(gpu.device, &info, NULL, &memory));
	return memory;
}

void gpu_free(VkDeviceMemory memory)
{
	gpu.FreeMemory(gpu.device, memory, NULL);
}
