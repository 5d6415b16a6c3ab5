/**
 * What a recorded nouveau ioctl means: the lens through which `@vmbind/trace` reads, replays and tells traces of Mesa's nvk.
 *
 * @packageDocumentation
 */

import {
  type AllocFault,
  counted,
  DRM_IOCTL_GEM_CLOSE,
  EINVAL,
  ENOENT,
  fail,
  GEM_CLOSE,
  hex,
  size,
  span,
} from "@vmbind/drm";
import type { Action, BindOp, CallReader, Decoder, HeaderReader, Lens } from "@vmbind/trace";
import type { BackendName } from "./backends.ts";
import { checkDeviceInvariants } from "./check-invariants.ts";
import { COST_SCHEMA } from "./cost-sheet.ts";
import { NouveauDevice } from "./device.ts";
import type { NouveauFile } from "./file.ts";
import { IOCTLS, VM_BIND_OPS } from "./ioctls.ts";
import { QUIRKS } from "./quirks.ts";
import {
  CHANNEL_ALLOC,
  GEM_NEW,
  IOCTL_CHANNEL_ALLOC,
  IOCTL_GEM_NEW,
  IOCTL_VM_BIND,
  IOCTL_VM_INIT,
  PAGE_BYTES,
  VM_BIND,
  VM_BIND_KIND_MASK,
  VM_BIND_OP_MAP,
  VM_BIND_OP_UNMAP,
  VM_BIND_RUN_ASYNC,
  VM_BIND_SPARSE,
  VM_INIT,
  type VmBindOp,
} from "./uapi.ts";
import { NVK_OPS_PER_IOCTL } from "./umd.ts";

/** The VM of a file, see `NouveauFile`. */
const VM_ID = 1;
/** What the stand-in of the recordings puts between mmap offsets. */
const RECORDED_MMAP_STEP: number = 2 ** 21;
/** Chipsets by back end: the first of the next generation ends each. */
const GENERATIONS: readonly [first: number, backend: BackendName][] = [
  [0x130, "gp100"],
  [0x160, "tu102-turing"],
  [0x170, "tu102"],
  [0x180, "gh100"],
  [0x190, "tu102"],
  [0x1a0, "gh100"],
];

/** One operation of a recorded VM_BIND. */
export interface NouveauTraceOp extends BindOp {
  /** Which operation it is. */
  readonly what: "map" | "unmap" | "sparse" | "unsparse" | "unknown";
}

/** What stands for "nothing is bound". */
const UNBOUND = { says: "unbound" } as const;
/** A region shows again where a mapping in it goes. */
const UNCOVER = { says: "uncover" } as const;
const ASIDE = { says: "aside" } as const;

class NouveauDecoder implements Decoder<NouveauTraceOp> {
  /** Bytes of the living regions by first VA. */
  readonly #regions = new Map<number, number>();

  decode(call: CallReader): Action<NouveauTraceOp> {
    switch (IOCTLS.own(call.request)) {
      case IOCTL_VM_INIT: {
        const { kernelManagedAddr, kernelManagedSize } = call.sent(VM_INIT);
        return { kind: "vm-create", vm: VM_ID, text: `kernel ${span(kernelManagedAddr, kernelManagedSize)}` };
      }
      case IOCTL_GEM_NEW: {
        const { info } = call.returned(GEM_NEW);
        return {
          kind: "bo-create",
          handle: info.handle,
          size: info.size,
          text: `BO ${info.handle}, ${size(info.size)}`,
        };
      }
      case IOCTL_CHANNEL_ALLOC: {
        const { notifierHandle, channel } = call.returned(CHANNEL_ALLOC);
        return { kind: "other", text: `channel ${channel}, its notifier BO ${notifierHandle}` };
      }
      case DRM_IOCTL_GEM_CLOSE: {
        const { handle } = call.sent(GEM_CLOSE);
        return { kind: "bo-close", handle, text: `BO ${handle}` };
      }
      case IOCTL_VM_BIND: {
        const { flags, sigCount } = call.sent(VM_BIND);
        const isAsync = (flags & VM_BIND_RUN_ASYNC) !== 0;
        const ops = call.elements(VM_BIND_OPS).map((op) => this.#op(op, isAsync, call.ret));
        const text = `${isAsync ? "asynchronous, " : ""}${counted(ops.length, "op")}`;
        // nvk cuts a list that is too long for one call; the last one signals.
        const more = isAsync && ops.length === NVK_OPS_PER_IOCTL && sigCount === 0;
        return { kind: "bind", vm: VM_ID, ops, text, more };
      }
      default:
        return { kind: "other", text: "" };
    }
  }

  #op(
    { op, flags, addr, range, handle, boOffset: offset }: VmBindOp,
    isAsync: boolean,
    ret: number,
  ): NouveauTraceOp {
    const isSparse = (flags & VM_BIND_SPARSE) !== 0;
    if (op === VM_BIND_OP_MAP && !isSparse) {
      return { what: "map", heading: "MAP", effect: "map", addr, range, handle, offset, flags };
    }
    const where = { addr, range, handle: 0, offset: 0, flags };
    if (op === VM_BIND_OP_MAP) {
      if (ret === 0) this.#regions.set(addr, range);
      return { ...where, what: "sparse", heading: "MAP SPARSE", effect: "none", sparse: UNBOUND };
    }
    // All that is mapped in a region goes with it.
    if (op === VM_BIND_OP_UNMAP && isSparse) {
      if (ret === 0) this.#regions.delete(addr);
      return { ...where, what: "unsparse", heading: "UNMAP SPARSE", effect: "unmap" };
    }
    if (op === VM_BIND_OP_UNMAP) {
      // nvk empties a region before it takes it away, outside of its queues; an application's unbinds go through those.
      const sparse = !isAsync && this.#regions.get(addr) === range ? ASIDE : UNCOVER;
      return { ...where, what: "unmap", heading: "UNMAP", effect: "unmap", sparse };
    }
    return { ...where, what: "unknown", heading: `op ${op}`, effect: "none" };
  }
}

function describe(op: NouveauTraceOp): string {
  const where = `${op.heading} ${span(op.addr, op.range)}`;
  if (op.what !== "map") return where;
  const kind = op.flags & VM_BIND_KIND_MASK;
  return `${where} -> BO ${op.handle} + ${hex(op.offset)}${kind === 0 ? "" : `, kind ${kind}`}`;
}

function backendOf(chipset: number): BackendName {
  const found = GENERATIONS.findLast(([first]) => chipset >= first);
  return found?.[1] ?? "tu102";
}

function deviceOf(header: HeaderReader, allocFault?: AllocFault): NouveauDevice {
  const pciDevice = header.hex("pci_id");
  const chipset = header.hex("chipset");
  header.oneOf("page_size", [PAGE_BYTES]);
  header.oneOf("va_bits", [47]);
  const vramBytes = header.hex("vram_size");
  // Not in recordings: the laboratory's traces say what their device had.
  const mmapStep = header.has("mmap_step") ? header.integer("mmap_step", 0) : RECORDED_MMAP_STEP;
  const boFragmentation = header.fragmentation("bo_fragmentation");
  return new NouveauDevice({
    ...(boFragmentation && { boFragmentation }),
    ...header.memory(PAGE_BYTES),
    backend: backendOf(chipset),
    pciDevice,
    chipset,
    vramBytes,
    mmapStep,
    quirks: header.quirks(QUIRKS),
    ...(allocFault && { allocFault }),
    adoptSyncobjs: true,
  });
}

/** Nouveau's traces. */
export const lens: Lens<NouveauTraceOp, NouveauFile, NouveauDevice> = {
  name: "nouveau",
  headings: ["MAP", "MAP SPARSE", "UNMAP", "UNMAP SPARSE"],
  costSchema: COST_SCHEMA,
  quirks: QUIRKS,
  closeUnmaps: false,
  describe,
  decoder: () => new NouveauDecoder(),
  device: deviceOf,
  arrays: (request) => IOCTLS.row(request)?.arrays ?? [],
  evict(device, file, handle) {
    if (handle === 0) fail(EINVAL, "evict: nothing lies behind sparse regions");
    device.evict(file.bo(handle) ?? fail(ENOENT, `evict: ${handle} is not a handle of this file`));
  },
  restore(file) {
    if (file.ownVm !== null) file.restoreObjects(file.ownVm);
  },
  checkInvariants: checkDeviceInvariants,
};
