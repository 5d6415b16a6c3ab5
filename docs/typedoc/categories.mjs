/**
 * What the pages of the API show first: each export's category, by the file it comes from.
 *
 * A package's files have one purpose each, and the driver packages have the same ones; so a category is a few file names, and
 * a new export lands where its neighbours are. "Start here" names exports one by one: the handful that a reader needs
 * before anything else. What no row takes is internal: exported because another package needs it.
 *
 * A row is `[category, files]`, files as a regular expression over the path below `src/`; the first row that fits wins.
 */

export const START = "Start here";
export const INTERNALS = "Internals";
export const ENTRY_POINTS = "Other entry points";

const driver = (...start) => ({
  start: ["vmBind", ...start],
  rows: [
    ["Operations as objects", /^vm-bind-ops\.ts$/],
    ["Options, platforms, quirks", /^(options|platforms|quirks|backends)\.ts$/],
    ["What the Vulkan driver sends", /^(umd|image-tiles)\.ts$/],
    ["Structs and request numbers", /^(uapi.*|ioctls)\.ts$/],
    ["Costs and checks", /^(cost-sheet|check-.*)\.ts$/],
  ],
});

/** By package: what to start with, then the rows. */
export const PACKAGES = {
  "@vmbind/panthor": driver("PanthorDevice", "PanthorFile", "PanthorVm", "PanvkUmd"),
  "@vmbind/asahi": driver("AsahiDevice", "AsahiFile", "AsahiVm", "HkUmd"),
  "@vmbind/xe": driver("XeDevice", "XeFile", "XeVm", "AnvUmd"),
  "@vmbind/nouveau": driver("NouveauDevice", "NouveauFile", "NouveauVm", "NvkUmd"),
  "@vmbind/msm": driver("MsmDevice", "MsmFile", "MsmVm", "TurnipUmd"),
  "@vmbind/amdgpu": driver("AmdgpuDevice", "AmdgpuFile", "AmdgpuVm", "RadvUmd"),
  "@vmbind/drm": {
    start: ["DrmFile", "DrmError", "issue", "SparseUmd", "struct"],
    rows: [
      ["Ioctls", /^(ioctl.*|core-ioctls|drm-file|support-list)\.ts$/],
      ["Structs and user memory", /^(struct.*|user-.*|value-names|words|encode-error)\.ts$/],
      ["Objects and handles", /^(gem.*|handle-table|dma-buf|vma-offsets)\.ts$/],
      ["Fences and locks", /^(fence|syncobj|exec-lock)\.ts$/],
      ["Errnos", /^errno\.ts$/],
      ["What a user-mode driver sends", /^(umd|sparse-image|bind-ops)\.ts$/],
      ["Quirks, counters and checks", /^(quirks|counters|check-.*|alloc-fault)\.ts$/],
    ],
  },
  "@vmbind/gpuvm-core": {
    start: ["Gpuvm", "MapRequest", "StepHandlers", "VmBo", "checkGpuvm"],
    rows: [
      ["Steps of a map or unmap", /^steps\.ts$/],
      ["The manager and its objects", /^(gpuvm|direct-binds|va-space|vm-bo|vm-objects)\.ts$/],
      ["Repeated mappings", /^repeat\.ts$/],
      ["Counters and checks", /^(counters|check-.*)\.ts$/],
    ],
  },
  "@vmbind/mmu": {
    start: ["AddressSpace", "leaves", "decodeEntry", "PhysicalMemory", "GpuFault"],
    rows: [
      ["Read a page table", /^(address-space|walk|listing|format|gpu-fault)\.ts$/],
      ["Formats of entries", /^(lpae|uat|ppgtt|gmmu|gcvm|address)\.ts$/],
      ["Write a page table", /^(writers|entry-runs|table-memory)\.ts$/],
      ["Physical memory", /^(physical-memory|frame-allocator|data-pages|page-contents|scatter-list)\.ts$/],
      ["TLB", /^tlb\.ts$/],
      ["Counters and checks", /^(counters|check-.*)\.ts$/],
    ],
  },
  "@vmbind/trace": {
    start: ["TraceHeader", "TraceEvent", "replay", "BindWatch", "lintTrace"],
    rows: [
      [
        "The format, read and written",
        /^(format|event|header-reader|jsonl|write|gunzip|phase|call-bytes|seal)\.ts$/,
      ],
      ["Replay and its cost", /^(replay|cost.*|budget|device|lens|check\/.*|differences)\.ts$/],
      ["What a call did", /^(story|space|model)\//],
      ["Lift to what was asked for", /^lift\//],
      ["Lint", /^lint\//],
      ["Diff", /^diff\//],
    ],
  },
  "@vmbind/lab": {
    start: ["compare", "SPARSE_STRATEGIES", "Workload", "Proposal", "replayTrace"],
    rows: [
      ["Compare", /^(compare\/.*|answer|conclusions|findings|verdicts|time|result)\.ts$/],
      ["Workloads", /^workload\//],
      ["Strategies", /^(strategy\/.*|drivers)\.ts$/],
      ["Sweep", /^sweep\//],
      ["Measurements and questions", /^(measure|semantics|experiments|recorded)\//],
    ],
  },
  "@vmbind/live": {
    start: ["runCommand", "recordCommand", "checkCalls", "liveDevices", "LiveServer"],
    rows: [
      ["Run a program", /^(launch|server|session|drivers\/.*|hardware|shim|log|check)\.ts$/],
      ["Record a program", /^record.*\.ts$|^trace-file\.ts$/],
    ],
  },
};

/** The packages themselves, in the order of the site's navigation. */
export const PACKAGE_CATEGORIES = [
  ["Drivers", /^@vmbind\/(panthor|asahi|xe|nouveau|msm|amdgpu)$/],
  ["What the drivers share", /^@vmbind\/(drm|gpuvm-core|mmu)$/],
  ["Laboratory", /^@vmbind\/(lab|trace|live)$/],
];

/** Every category in the order in which pages show them; the internals come last. */
export const ORDER = [
  "Guides",
  ...PACKAGE_CATEGORIES.map(([name]) => name),
  START,
  ...new Set(Object.values(PACKAGES).flatMap(({ rows }) => rows.map(([name]) => name))),
  ENTRY_POINTS,
  "*",
  INTERNALS,
];

/** The category of one export of a package. */
export function categoryOf(packageName, name, file) {
  const { start, rows } = PACKAGES[packageName];
  if (start.includes(name)) return START;
  return rows.find(([, files]) => files.test(file))?.[0] ?? INTERNALS;
}
