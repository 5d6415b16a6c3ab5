/**
 * Panthor traces: recorded from Mesa's panvk.
 *
 * @module
 */

import { counted, DRM_IOCTL_GEM_CLOSE, hex, size, span } from "@vmbind/drm";
import {
  BO_CREATE,
  BO_NO_MMAP,
  COST_SCHEMA,
  checkDeviceInvariants,
  DRIVER_VERSIONS,
  GEM_CLOSE,
  IOCTL_BO_CREATE,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  IOCTL_VM_DESTROY,
  MAP_NOEXEC,
  MAP_READONLY,
  MAP_SPARSE,
  MAP_UNCACHED,
  NO_QUIRKS,
  OP_MAP,
  OP_SYNC_ONLY,
  OP_TYPE_MASK,
  OP_UNMAP,
  PanthorDevice,
  type PanthorQuirks,
  VM_BIND,
  VM_BIND_ASYNC,
  VM_BIND_OP,
  VM_BIND_OP_REPEAT,
  VM_CREATE,
  VM_DESTROY,
  type VmBindOp,
} from "@vmbind/panthor";
import {
  type Action,
  type BindOp,
  type Decoder,
  type Driver,
  elements,
  fragmentation,
  hexNumber,
  parseHeader,
  quirksSchema,
  type TraceHeader,
  type TraceIoctl,
  viewOf,
} from "@vmbind/trace";
import * as v from "valibot";

const headerSchema = v.looseObject({
  driver_version: v.picklist(DRIVER_VERSIONS),
  gpu_id: hexNumber,
  va_bits: v.pipe(v.number(), v.integer(), v.minValue(32), v.maxValue(48)),
  pa_bits: v.pipe(v.number(), v.integer(), v.minValue(32), v.maxValue(48)),
  page_size_bitmap: hexNumber,
  /** Not in recordings: set by traces derived for the REPEAT proposal. */
  repeat_proposal: v.exactOptional(v.boolean()),
  bo_fragmentation: fragmentation,
  dummy_fragmentation: fragmentation,
  quirks: v.exactOptional(quirksSchema(NO_QUIRKS)),
});

/** Bytes of the object that panvk maps over and over where the kernel has no MAP_SPARSE. */
const BLACKHOLE_BYTES = 0x200000;

class PanthorDecoder implements Decoder {
  /** panvk makes its blackhole only where the kernel has no MAP_SPARSE. */
  readonly #mayHaveBlackhole: boolean;
  readonly #repeats: boolean;
  #blackhole = 0;

  constructor(header: TraceHeader) {
    this.#repeats = header["repeat_proposal"] === true;
    this.#mayHaveBlackhole = Number(String(header["driver_version"]).split(".")[1]) < 9;
  }

  decode(call: TraceIoctl): Action {
    const before = viewOf(call.argIn);
    const after = viewOf(call.argOut);
    switch (call.request) {
      case IOCTL_VM_CREATE: {
        const { id, userVaRange } = VM_CREATE.read(after);
        return { kind: "vm-create", vm: id, text: `VM ${id}, user VA ${size(userVaRange)}` };
      }
      case IOCTL_VM_DESTROY: {
        const { id } = VM_DESTROY.read(before);
        return { kind: "vm-destroy", vm: id, text: `VM ${id}` };
      }
      case IOCTL_BO_CREATE:
        return this.#boCreate(call);
      case DRM_IOCTL_GEM_CLOSE: {
        const { handle } = GEM_CLOSE.read(before);
        return { kind: "bo-close", handle, text: `BO ${handle}` };
      }
      case IOCTL_VM_BIND: {
        const { vmId, flags } = VM_BIND.read(before);
        const ops = this.#repeats
          ? elements(call, "ops", VM_BIND_OP_REPEAT).map((op) => this.#op(op))
          : elements(call, "ops", VM_BIND_OP).map((op) => this.#op(op));
        const mode = flags & VM_BIND_ASYNC ? "async" : "sync";
        return { kind: "bind", vm: vmId, ops, text: `VM ${vmId}, ${mode}, ${counted(ops.length, "op")}` };
      }
      default:
        return { kind: "other", text: "" };
    }
  }

  #boCreate(call: TraceIoctl): Action {
    const bo = BO_CREATE.read(viewOf(call.argOut));
    if (this.#mayHaveBlackhole && bo.size === BLACKHOLE_BYTES && bo.flags === BO_NO_MMAP) {
      this.#blackhole = bo.handle;
    }
    const owner = bo.exclusiveVmId ? `, only for VM ${bo.exclusiveVmId}` : "";
    const text = `BO ${bo.handle}, ${size(bo.size)}${owner}`;
    return { kind: "bo-create", handle: bo.handle, size: bo.size, text };
  }

  #op(op: VmBindOp & { boRepeatRange?: number }): BindOp {
    const { flags, va: addr, size: range, boHandle: handle, boOffset: offset } = op;
    const type = (flags & OP_TYPE_MASK) >>> 0;
    const decoded: BindOp = {
      kind: "unknown",
      effect: "none",
      addr,
      range,
      handle,
      offset,
      flags,
      extra: type,
    };
    if (type === OP_UNMAP) {
      decoded.kind = "UNMAP";
      decoded.effect = "unmap";
    } else if (type === OP_SYNC_ONLY) {
      decoded.kind = "SYNC_ONLY";
      decoded.extra = op.syncs.count;
    } else if (type === OP_MAP) {
      decoded.effect = "map";
      decoded.extra = op.boRepeatRange ?? 0;
      if (op.boRepeatRange) decoded.kind = "MAP REPEAT";
      else if (flags & MAP_SPARSE) decoded.kind = "MAP SPARSE";
      else decoded.kind = handle !== 0 && handle === this.#blackhole ? "MAP blackhole" : "MAP memory";
    }
    return decoded;
  }
}

function describe({ kind, addr, range, handle, offset, flags, extra }: BindOp): string {
  const where = span(addr, range);
  switch (kind) {
    case "UNMAP":
      return `UNMAP ${where}`;
    case "SYNC_ONLY":
      return `SYNC_ONLY, ${counted(extra, "sync")}`;
    case "unknown":
      return `type ${hex(extra)} ${where}`;
    case "MAP SPARSE":
      return `MAP SPARSE${flagNames(flags)} ${where}`;
    case "MAP REPEAT":
      return `MAP REPEAT${flagNames(flags)} ${where} -> ${size(extra)} of BO ${handle} + ${hex(offset)}, repeated`;
    default:
      return `${kind}${flagNames(flags)} ${where} -> BO ${handle} + ${hex(offset)}`;
  }
}

function flagNames(flags: number): string {
  const names = [
    [MAP_READONLY, "READONLY"],
    [MAP_NOEXEC, "NOEXEC"],
    [MAP_UNCACHED, "UNCACHED"],
  ] as const;
  return names
    .filter(([bit]) => flags & bit)
    .map(([, name]) => ` ${name}`)
    .join("");
}

/** Whether the page table may refuse what was prepared, so that a VM becomes unusable. */
function mayBreak({ smallFolioBlocks, repeatUnaligned, repeatWholeWindows }: PanthorQuirks): boolean {
  return smallFolioBlocks || repeatUnaligned || repeatWholeWindows;
}

/** Panthor for the laboratory. */
export const panthor: Driver = {
  name: "panthor",
  kinds: ["MAP memory", "MAP blackhole", "MAP SPARSE", "UNMAP", "SYNC_ONLY"],
  costSchema: COST_SCHEMA,
  closeUnmaps: false,
  describe,
  decoder: (header) => new PanthorDecoder(header),
  machine(trace) {
    const facts = parseHeader(headerSchema, trace.path, trace.header);
    const device = new PanthorDevice({
      driverVersion: facts.driver_version,
      gpuId: facts.gpu_id,
      vaBits: facts.va_bits,
      paBits: facts.pa_bits,
      repeat: facts.repeat_proposal ? "v5" : "off",
      ...(facts.bo_fragmentation && { boFragmentation: facts.bo_fragmentation }),
      ...(facts.dummy_fragmentation && { dummyFragmentation: facts.dummy_fragmentation }),
      ...(facts.quirks && { quirks: facts.quirks }),
      // Syncobjs are made by ioctls that recordings leave out.
      adoptSyncobjs: true,
    });
    const { counters, memory, options } = device;
    const file = device.open();
    const files = [file];
    return {
      file,
      openFile() {
        const another = device.open();
        files.push(another);
        return another;
      },
      checkInvariants() {
        checkDeviceInvariants(device, files);
        if (counters.kernelWarnings > 0 && !mayBreak(options.quirks))
          throw new Error(`kernel-warnings: ${counters.kernelWarnings}`);
      },
      counters,
      memory,
    };
  },
};
