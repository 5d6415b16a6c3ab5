/**
 * Facts of `nouveau_drm.h` (Linux 7.3-rc7): the values of flags, ops, domains and parameters, and their names for people. The
 * structs that hold them are in `uapi.ts`.
 *
 * @module
 */

import { flagNames, type ValueNames, valueNames } from "@vmbind/drm";

/** VM_BIND flag: return once the work is queued; syncs are allowed only with it. */
export const VM_BIND_RUN_ASYNC = 0x1;
/** Names of the flags of a `VmBind`. */
export const VM_BIND_NAMES: ValueNames = flagNames({ VM_BIND_RUN_ASYNC });

/** Bind op: map an object, or with {@link VM_BIND_SPARSE} make a sparse region. */
export const VM_BIND_OP_MAP = 0;
/** Bind op: remove mappings, or with {@link VM_BIND_SPARSE} a region. */
export const VM_BIND_OP_UNMAP = 1;
/** Names of the ops. */
export const VM_BIND_OP_NAMES: ValueNames = valueNames({ VM_BIND_OP_MAP, VM_BIND_OP_UNMAP });
/** Bind op flag: the op is about a sparse region. */
export const VM_BIND_SPARSE: number = 1 << 8;
/** Bits of a bind op's flags that are the PTE kind of a MAP. */
export const VM_BIND_KIND_MASK = 0xff;
/** Names of the flags of a bind op; the low byte is a number. */
export const VM_BIND_OP_FLAG_NAMES: ValueNames = flagNames({ VM_BIND_SPARSE });

/** Sync type: a binary syncobj. */
export const SYNC_SYNCOBJ = 0;
/** Sync type: a point of a timeline. */
export const SYNC_TIMELINE_SYNCOBJ = 1;
/** Bits of a sync's flags that are its type. */
export const SYNC_TYPE_MASK = 0xf;
/** Names of the types. */
export const SYNC_NAMES: ValueNames = flagNames(
  {},
  { mask: SYNC_TYPE_MASK, values: { SYNC_SYNCOBJ, SYNC_TIMELINE_SYNCOBJ } },
);

/** GEM domain: system memory that the GPU cannot map. */
export const GEM_DOMAIN_CPU: number = 1 << 0;
/** GEM domain: memory on the card. */
export const GEM_DOMAIN_VRAM: number = 1 << 1;
/** GEM domain: system memory. */
export const GEM_DOMAIN_GART: number = 1 << 2;
/** GEM domain flag without meaning here: the CPU can map every object. */
export const GEM_DOMAIN_MAPPABLE: number = 1 << 3;
/** GEM domain flag: coherent CPU mappings. */
export const GEM_DOMAIN_COHERENT: number = 1 << 4;
/** GEM domain flag: the object is private to the VM of its file and shares its reservation. */
export const GEM_DOMAIN_NO_SHARE: number = 1 << 5;
/** Names of the domains. */
export const GEM_DOMAIN_NAMES: ValueNames = flagNames({
  GEM_DOMAIN_CPU,
  GEM_DOMAIN_VRAM,
  GEM_DOMAIN_GART,
  GEM_DOMAIN_MAPPABLE,
  GEM_DOMAIN_COHERENT,
  GEM_DOMAIN_NO_SHARE,
});

/** Tile flag of an object: its memory need not be in one piece. */
export const GEM_TILE_NONCONTIG: number = 1 << 3;
/** Lowest bit of the PTE kind in an object's tile flags. */
export const GEM_TILE_KIND_SHIFT = 8;
/** Names of the tile flags; bits 15:8 are a number. */
export const GEM_TILE_NAMES: ValueNames = flagNames({ GEM_TILE_NONCONTIG });

/** Parameters of GETPARAM. */
export const GETPARAM_PCI_VENDOR = 3;
/** See {@link GETPARAM_PCI_VENDOR}: PCI device id. */
export const GETPARAM_PCI_DEVICE = 4;
/** Bus: 0 AGP, 1 PCI, 2 PCIe, 3 system on chip. */
export const GETPARAM_BUS_TYPE = 5;
/** Bytes of VRAM. */
export const GETPARAM_FB_SIZE = 8;
/** Bytes of the GART. */
export const GETPARAM_AGP_SIZE = 9;
/** Chipset, e.g. 0x172 for GA102. */
export const GETPARAM_CHIPSET_ID = 11;
/** First address of VRAM in a VM, 0. */
export const GETPARAM_VM_VRAM_BASE = 12;
/** GPCs, TPCs << 8, ROPs << 32. */
export const GETPARAM_GRAPH_UNITS = 13;
/** Clock of the GPU in ns. */
export const GETPARAM_PTIMER_TIME = 14;
/** Whether objects have a usage, 1. */
export const GETPARAM_HAS_BO_USAGE = 15;
/** Whether page flips are there, 1. */
export const GETPARAM_HAS_PAGEFLIP = 16;
/** Most pushes of an EXEC. */
export const GETPARAM_EXEC_PUSH_MAX = 17;
/** Bytes of VRAM that the CPU sees. */
export const GETPARAM_VRAM_BAR_SIZE = 18;
/** Bytes of VRAM in use. */
export const GETPARAM_VRAM_USED = 19;
/** Whether mappings may have kinds of their own, 1. */
export const GETPARAM_HAS_VMA_TILEMODE = 20;
/** Names of the parameters. */
export const GETPARAM_NAMES: ValueNames = valueNames({
  GETPARAM_PCI_VENDOR,
  GETPARAM_PCI_DEVICE,
  GETPARAM_BUS_TYPE,
  GETPARAM_FB_SIZE,
  GETPARAM_AGP_SIZE,
  GETPARAM_CHIPSET_ID,
  GETPARAM_VM_VRAM_BASE,
  GETPARAM_GRAPH_UNITS,
  GETPARAM_PTIMER_TIME,
  GETPARAM_HAS_BO_USAGE,
  GETPARAM_HAS_PAGEFLIP,
  GETPARAM_EXEC_PUSH_MAX,
  GETPARAM_VRAM_BAR_SIZE,
  GETPARAM_VRAM_USED,
  GETPARAM_HAS_VMA_TILEMODE,
});

/** What CHANNEL_ALLOC selects an engine with instead of a DMA object. */
export const CHANNEL_ENGINE = 0xffff_ffff;
/** Engines of CHANNEL_ALLOC: graphics, VP, PPP, BSP, copy, NVDEC. */
export const CHANNEL_ENGINES: readonly number[] = [1, 2, 4, 8, 0x30, 0x300];
/** EXEC push flag: read the push when its turn comes. */
export const EXEC_PUSH_NO_PREFETCH = 0x1;
/** Names of the flags of an EXEC's push. */
export const EXEC_PUSH_NAMES: ValueNames = flagNames({ EXEC_PUSH_NO_PREFETCH });
