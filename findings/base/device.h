/*
 * A Vulkan device for a finding: the first one, all its features, its first queue. What fails ends the program with status 2; what the
 * validation layer reports is printed by its name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <vulkan/vulkan.h>

#define CHECK(call)                              \
  do {                                           \
    VkResult result = (call);                    \
    if (result < 0) {                            \
      fprintf(stderr, "%s: %d\n", #call, result); \
      exit(2);                                   \
    }                                            \
  } while (0)

enum validation { NO_VALIDATION, VALIDATION, SYNC_VALIDATION };

static VkInstance instance;
static VkPhysicalDevice gpu;
static VkPhysicalDeviceFeatures features;
static VkDevice device;
static VkQueue queue;

static VKAPI_ATTR VkBool32 VKAPI_CALL report(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                             VkDebugUtilsMessageTypeFlagsEXT types,
                                             const VkDebugUtilsMessengerCallbackDataEXT *data, void *user) {
  printf("  %s\n", data->pMessageIdName);
  return VK_FALSE;
}

static inline void open_gpu(enum validation validation) {
  const char *layer = "VK_LAYER_KHRONOS_validation", *extension = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
  VkDebugUtilsMessengerCreateInfoEXT messenger = {
    VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
    .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
    .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
    .pfnUserCallback = report};
  VkValidationFeatureEnableEXT sync = VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
  VkValidationFeaturesEXT more = {VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
                                  .enabledValidationFeatureCount = 1,
                                  .pEnabledValidationFeatures = &sync};
  VkApplicationInfo app = {VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = VK_API_VERSION_1_3};
  VkInstanceCreateInfo info = {VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                               .pNext = validation == SYNC_VALIDATION ? &more : NULL,
                               .pApplicationInfo = &app,
                               .enabledLayerCount = validation != NO_VALIDATION,
                               .ppEnabledLayerNames = &layer,
                               .enabledExtensionCount = validation != NO_VALIDATION,
                               .ppEnabledExtensionNames = &extension};
  CHECK(vkCreateInstance(&info, NULL, &instance));
  if (validation != NO_VALIDATION) {
    PFN_vkCreateDebugUtilsMessengerEXT create =
      (PFN_vkCreateDebugUtilsMessengerEXT)vkGetInstanceProcAddr(instance, "vkCreateDebugUtilsMessengerEXT");
    VkDebugUtilsMessengerEXT handle;
    CHECK(create(instance, &messenger, NULL, &handle));
  }
  uint32_t count = 1;
  CHECK(vkEnumeratePhysicalDevices(instance, &count, &gpu));
  if (count == 0) {
    fprintf(stderr, "no device\n");
    exit(2);
  }
  vkGetPhysicalDeviceFeatures(gpu, &features);
  VkPhysicalDeviceProperties properties;
  vkGetPhysicalDeviceProperties(gpu, &properties);
  printf("%s\n", properties.deviceName);
}

static inline void open_device(void) {
  float priority = 1;
  VkDeviceQueueCreateInfo queues = {
    VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueCount = 1, .pQueuePriorities = &priority};
  VkDeviceCreateInfo info = {VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                             .queueCreateInfoCount = 1,
                             .pQueueCreateInfos = &queues,
                             .pEnabledFeatures = &features};
  CHECK(vkCreateDevice(gpu, &info, NULL, &device));
  vkGetDeviceQueue(device, 0, 0, &queue);
}

/* A partly resident 2D image that is written and sampled, of one level and layer. */
static inline VkImageCreateInfo sparse_image(VkFormat format, uint32_t width, uint32_t height) {
  return (VkImageCreateInfo){VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                             .flags = VK_IMAGE_CREATE_SPARSE_BINDING_BIT | VK_IMAGE_CREATE_SPARSE_RESIDENCY_BIT,
                             .imageType = VK_IMAGE_TYPE_2D,
                             .format = format,
                             .extent = {width, height, 1},
                             .mipLevels = 1,
                             .arrayLayers = 1,
                             .samples = VK_SAMPLE_COUNT_1_BIT,
                             .usage = VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT};
}
