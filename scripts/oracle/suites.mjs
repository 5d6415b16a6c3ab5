/**
 * What the oracle runs, as tables: igt's binaries with the devices they run on and what must come of them, and the Vulkan
 * drivers that run the workloads of the recordings.
 */

/** Why a subtest does not pass, where that is known and not a fault of a model. */
const NO_FAULT_MODE =
  "wants recoverable faults, which DG2 does not have: VM_CREATE refuses the flag, as the driver does";
const FORCED_SCRATCH =
  "waits for faults; on a DG2-G10 every VM has a scratch page (workaround 22014953428), so there are none; passes on a DG2-G11";
const CACHE_MODE =
  "GEM_NEW takes exactly one of CACHED, WC and CACHED_COHERENT, so the driver gives EINVAL, too";
const TRACE_EVENTS = "turns on trace events of the running kernel, which has none of this driver";
const COMMANDS =
  "looks at what commands leave in memory; submissions bring page tables up to date, and run none";
const USER_QUEUES = "wants queues that user space fills itself, which this GPU does not have";
const USERQ_WAIT = "gets through all ioctls of kernel queues and ends at USERQ_WAIT, of queues of user space";
const CLOCKS = "wants the host to measure its own sleeps to a hundredth, which a busy one does not";
const USERPTR = "wants objects over memory of the process (GEM_USERPTR), which the model does not have";
const AMD_BASIC = {
  "userptr-with-IP-DMA": USERPTR,
  "cs-gfx-with-IP-GFX": COMMANDS,
  "cs-compute-with-IP-COMPUTE": COMMANDS,
  "cs-multi-fence-with-IP-GFX": COMMANDS,
  "cs-sdma-with-IP-DMA": COMMANDS,
  "eviction-test-with-IP-DMA": COMMANDS,
  "sync-dependency-test-with-IP-GFX": COMMANDS,
  "cs-gfx-with-IP-GFX-UMQ": USER_QUEUES,
  "cs-compute-with-IP-COMPUTE-UMQ": USER_QUEUES,
  "sync-dependency-test-with-IP-GFX-UMQ": USER_QUEUES,
  "cs-sdma-with-IP-DMA-UMQ": USER_QUEUES,
  "all-queues-test-with-UMQ": USER_QUEUES,
  "cs-gfx-fwm-UMQ": USER_QUEUES,
  "cs-compute-fwm-UMQ": USER_QUEUES,
};
const WANTS_VRAM = "wants a GPU with memory of its own";

const XE_VM_INTEGRATED = [
  "out-of-memory",
  "overcommit-nonfault-vram-lr-defer",
  "overcommit-nonfault-vram-lr-external-nodefer",
  "overcommit-nonfault-vram-no-lr",
  "overcommit-fault-vram-lr",
  "overcommit-fault-vram-lr-no-overcommit",
];

const xeVm = (device, more) => ({
  binary: "xe_vm",
  device: `xe:${device}`,
  // Some fill the GPU's memory twice over, which takes a host long; others want to bind 2 GiB of it.
  vram: "2500MiB",
  // One wants errors injected by a flag bit, as the kernels have it that igt is run on.
  debugBuild: true,
  total: 191,
  explained: more,
});

/** igt's tests of amdgpu that need no command to do something. */
const amdgpu = (binary, device, total, more = {}) => ({
  binary: `amdgpu/${binary}`,
  device: `amdgpu:${device}`,
  total,
  ...more,
});

/**
 * igt's binaries. `vram`: the GPU's own memory, where it is not to be all that the device has; `debugBuild`: the driver is built for
 * debugging; `total`: subtests that there are to be, so that a list cut short is no success; `least`: how many of them must pass, all
 * but the explained ones unless given; `tries`: how often a subtest may try.
 */
export const IGT = [
  xeVm("bmg"),
  xeVm("dg2", {
    "vm-get-property-exercise": FORCED_SCRATCH,
    "overcommit-fault-vram-lr": NO_FAULT_MODE,
    "overcommit-fault-vram-lr-no-overcommit": NO_FAULT_MODE,
  }),
  xeVm("dg2-g11", {
    "overcommit-fault-vram-lr": NO_FAULT_MODE,
    "overcommit-fault-vram-lr-no-overcommit": NO_FAULT_MODE,
  }),
  xeVm("lnl", Object.fromEntries(XE_VM_INTEGRATED.map((name) => [name, WANTS_VRAM]))),
  { binary: "panthor/panthor_vm", device: "panthor:g610", total: 15 },
  { binary: "panthor/panthor_gem", device: "panthor:g610", total: 5 },
  { binary: "panthor/panthor_group", device: "panthor:g610", total: 2 },
  { binary: "panthor/panthor_query", device: "panthor:g610", total: 1 },
  { binary: "asahi/asahi_get_params", device: "asahi:g13", total: 4 },
  { binary: "asahi/asahi_get_time", device: "asahi:g13", total: 5 },
  {
    binary: "msm/msm_bo",
    device: "msm:a750",
    total: 6,
    explained: {
      "bo-alloc-basic": CACHE_MODE,
      "bo-alloc-uncached": CACHE_MODE,
      "bo-alloc-unaligned-size": CACHE_MODE,
    },
  },
  amdgpu("amd_vm", "navi21", 3),
  amdgpu("amd_vm", "vega10", 3),
  amdgpu("amd_vm", "navi48", 3),
  amdgpu("amd_bo", "navi21", 6),
  amdgpu("amd_info", "navi21", 3, { tries: 5, explained: { "query-timestamp": CLOCKS } }),
  amdgpu("amd_fuzzing", "navi21", 7, {
    explained: { "gem-create-fuzzing": TRACE_EVENTS, "kgd-ioctl-field-fuzzing": USERQ_WAIT },
  }),
  amdgpu("amd_basic", "navi21", 16, { explained: AMD_BASIC }),
  { binary: "syncobj_basic", device: "xe:bmg", total: 12 },
  // Some look at the clock after milliseconds: on a busy machine they are late, so they may try again.
  { binary: "syncobj_wait", device: "xe:bmg", total: 69, tries: 5 },
  { binary: "syncobj_timeline", device: "xe:bmg", total: 121, tries: 5 },
];

/** The seven workloads of the recordings, `traces/WORKLOADS.md` of the material has them exactly. */
export const WORKLOADS = [
  "buffer-100e6",
  "buffer-stream",
  "image-unbound",
  "image-window",
  "image-3d",
  "many-small",
  "image-array-mips",
];

/**
 * The Vulkan drivers: what they find, and with which recordings the run is compared. `perFile`: the recordings number
 * handles and VMs over all open files of a process, a kernel in each file.
 */
export const VULKAN = [
  { umd: "anv", library: "libvulkan_intel.so", architecture: "amd64", device: "xe:bmg", recordings: "xe" },
  {
    umd: "anv",
    library: "libvulkan_intel.so",
    architecture: "amd64",
    device: "xe:dg2",
    recordings: "xe-dg2",
  },
  {
    umd: "anv",
    library: "libvulkan_intel.so",
    architecture: "amd64",
    device: "xe:lnl",
    recordings: "xe-lnl",
  },
  {
    umd: "panvk",
    library: "libvulkan_panfrost.so",
    architecture: "arm64",
    device: "panthor:g610",
    recordings: "panthor-sparse",
  },
  {
    umd: "panvk",
    library: "libvulkan_panfrost.so",
    architecture: "arm64",
    device: "panthor:g610-1.8",
    recordings: "panthor-blackhole",
  },
  {
    umd: "hk",
    library: "libvulkan_asahi.so",
    architecture: "arm64",
    device: "asahi:g13",
    recordings: "asahi",
    perFile: true,
  },
  {
    umd: "turnip",
    library: "libvulkan_freedreno.so",
    architecture: "amd64",
    device: "msm:a750",
    recordings: "msm",
  },
  {
    umd: "nvk",
    library: "libvulkan_nouveau.so",
    architecture: "amd64",
    device: "nouveau:ga102",
    recordings: "nouveau",
    sentOnly: true,
  },
  {
    umd: "radv",
    library: "libvulkan_radeon.so",
    architecture: "amd64",
    device: "amdgpu:navi21",
    recordings: "amdgpu",
  },
  {
    umd: "radv",
    library: "libvulkan_radeon.so",
    architecture: "amd64",
    device: "amdgpu:vega10",
    recordings: "amdgpu-gfx9",
  },
  {
    umd: "radv",
    library: "libvulkan_radeon.so",
    architecture: "amd64",
    device: "amdgpu:navi48",
    recordings: "amdgpu-gfx12",
  },
];
