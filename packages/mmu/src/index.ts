/**
 * GPU page tables as the hardware reads them: physical memory, page-table formats, walker, TLB and faults.
 *
 * @packageDocumentation
 */
export { addressHi, addressLo, addressOf, descriptor, hexAddress } from "./address.ts";
export type { AddressSpaceOptions } from "./address-space.ts";
export { AddressSpace, DeadAddressSpace } from "./address-space.ts";
export { checkTablePages, checkTables, checkTlb } from "./check-invariants.ts";
export type { MmuCost, MmuCounter, MmuCounters } from "./counters.ts";
export { MMU_COSTS, mmuCounters } from "./counters.ts";
export { DataPages, type PhysicalBacking } from "./data-pages.ts";
export type { DescribedField } from "./describe-entry.ts";
export { describeEntry } from "./describe-entry.ts";
export type { EntryField } from "./entry-field.ts";
export { blockRun, emptyRun, filledRun } from "./entry-runs.ts";
export type { DecodedEntry, EntryAddresses, EntryKind, LevelGeometry, PageTableFormat } from "./format.ts";
export {
  decodeEntry,
  entryIndex,
  RIGHT_EXEC,
  RIGHT_READ,
  RIGHT_WRITE,
  rootGeometry,
  withLevels,
} from "./format.ts";
export type { Fragmentation, FrameOptions, FrameWatch } from "./frame-allocator.ts";
export { FRAGMENTATIONS, FrameAllocator, frameBytes, OutOfFrames, systemMemory } from "./frame-allocator.ts";
export type { GcvmGeneration, GcvmHighBits } from "./gcvm.ts";
export {
  GCVM_EXECUTABLE,
  GCVM_FRAGMENT_SHIFT,
  GCVM_HIGH,
  GCVM_LAST_LEVEL,
  GCVM_READABLE,
  GCVM_ROOT_LEVEL,
  GCVM_SNOOPED,
  GCVM_SYSTEM,
  GCVM_TMZ,
  GCVM_VALID,
  GCVM_WRITEABLE,
  gcvm,
  gcvmEmptyHi,
  gcvmEmptyLo,
  gcvmTableHi,
  gcvmTableLo,
} from "./gcvm.ts";
export type { GmmuAperture, GmmuVersion } from "./gmmu.ts";
export {
  GMMU_APERTURES,
  GMMU_SPARSE,
  gmmu,
  gmmuAddressHi,
  gmmuAddressLo,
  gmmuAperture,
  gmmuKind,
  gmmuLeafHi,
  gmmuLeafLo,
  gmmuNoSmall,
  gmmuTableHi,
  gmmuTableLo,
} from "./gmmu.ts";
export type { Access, FaultKind } from "./gpu-fault.ts";
export { GpuFault } from "./gpu-fault.ts";
export type { DirectoryEntry, EntryVisitor, LeafEntry, ListOptions } from "./listing.ts";
export { directories, eachLeaf, leaves, visitEntries } from "./listing.ts";
export {
  IOMMU_CACHE,
  IOMMU_MMIO,
  IOMMU_NOEXEC,
  IOMMU_PRIV,
  IOMMU_READ,
  IOMMU_WRITE,
  LPAE_MAIR,
  lpae4k,
  lpaeLeafHi,
  lpaeLeafLo,
  lpaeProt,
  lpaeTableHi,
  lpaeTableLo,
  maliMemattr,
  maliTranscfg,
} from "./lpae.ts";
export { copyPages, SavedPages } from "./page-contents.ts";
export type { PhysicalMemoryOptions } from "./physical-memory.ts";
export { PhysicalMemory } from "./physical-memory.ts";
export {
  PPGTT_ATOMIC,
  PPGTT_DEVICE_MEMORY,
  PPGTT_NULL,
  PPGTT_PRESENT,
  PPGTT_PS64,
  PPGTT_WRITE,
  ppgtt,
  ppgttFlags,
  ppgttLeafHi,
  ppgttLeafLo,
  ppgttPat,
  ppgttTableHi,
  ppgttTableLo,
} from "./ppgtt.ts";
export type { Segment } from "./scatter-list.ts";
export { ScatterList } from "./scatter-list.ts";
export { SpareMemory } from "./spare-memory.ts";
export type { TableOptions } from "./table-memory.ts";
export { OutOfTables, POISON, TableMemory } from "./table-memory.ts";
export type { RememberedLeaf, TlbOptions } from "./tlb.ts";
export { Tlb } from "./tlb.ts";
export type {
  DescriptorHalves,
  ExpectedLeaf,
  ExpectedRange,
  ExpectedTree,
  TableVisitor,
} from "./tree-check.ts";
export type { UatProt } from "./uat.ts";
export {
  UAT_CACHED,
  UAT_DEVICE,
  UAT_PROT,
  UAT_UNCACHED,
  uat,
  uatFirmwareRights,
  uatGpuRights,
  uatLeafHi,
  uatLeafLo,
  uatProt,
  uatTableHi,
  uatTableLo,
  uatTtb,
} from "./uat.ts";
export type { WalkKind } from "./walk.ts";
export { Walk } from "./walk.ts";
export type { WalkStep } from "./walk-path.ts";
export { walkPath } from "./walk-path.ts";
export type { EntryArray } from "./writers.ts";
export {
  clearEntries,
  clearFilled,
  fillAscending,
  fillEntries,
  writeAscending,
  writeDirectory,
  writeRepeated,
} from "./writers.ts";
export { xorshift32 } from "./xorshift.ts";
