/**
 * What a recorded xe ioctl means: the lens through which `@vmbind/trace` reads, replays and tells traces of Mesa's anv and of the
 * kernel tests of igt.
 *
 * @packageDocumentation
 */

import {
  type AllocFault,
  counted,
  DRM_IOCTL_GEM_CLOSE,
  GEM_CLOSE,
  hex,
  readU64,
  size,
  span,
} from "@vmbind/drm";
import type { Action, BindAction, BindOp, CallReader, Decoder, HeaderReader, Lens } from "@vmbind/trace";
import { checkDeviceInvariants } from "./check-invariants.ts";
import { COST_SCHEMA } from "./cost-sheet.ts";
import { XeDevice } from "./device.ts";
import type { XeFile } from "./file.ts";
import { IOCTLS, VM_BIND_OPS } from "./ioctls.ts";
import { PAGE_BYTES } from "./page-sizes.ts";
import { platformOfPciId } from "./pci-ids.ts";
import { QUIRKS } from "./quirks.ts";
import {
  EXEC_QUEUE_CREATE,
  GEM_CREATE,
  IOCTL_EXEC_QUEUE_CREATE,
  IOCTL_GEM_CREATE,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  IOCTL_VM_DESTROY,
  VM_BIND,
  VM_BIND_FLAG_NULL,
  VM_BIND_FLAG_READONLY,
  VM_BIND_OP,
  VM_BIND_OP_MAP,
  VM_BIND_OP_MAP_USERPTR,
  VM_BIND_OP_PREFETCH,
  VM_BIND_OP_UNMAP,
  VM_BIND_OP_UNMAP_ALL,
  VM_CREATE,
  VM_CREATE_FLAG_SCRATCH_PAGE,
  VM_DESTROY,
} from "./uapi.ts";

import {
  IOCTL_MADVISE,
  IOCTL_VM_GET_PROPERTY,
  IOCTL_VM_QUERY_MEM_RANGE_ATTRS,
  MADVISE,
  type Madvise,
  MEM_RANGE_ATTR_ATOMIC,
  MEM_RANGE_ATTR_PAT,
  MEM_RANGE_ATTR_PREFERRED_LOC,
  PREFERRED_LOC_DEFAULT_SYSTEM,
  VM_FAULT,
  VM_GET_PROPERTY,
  VM_QUERY_MEM_RANGE_ATTR,
  VMA_ATTR_PURGEABLE_STATE,
  VMA_PURGEABLE_STATE_WILLNEED,
} from "./uapi-madvise.ts";
import { isAnvOwnNull } from "./umd.ts";

/** One operation of a recorded VM_BIND. The offset of a `map-userptr` is a user address. */
export interface XeTraceOp extends BindOp {
  /** Which operation it is. */
  readonly what: "map" | "map-null" | "map-userptr" | "unmap" | "unmap-all" | "prefetch" | "unknown";
  /** Index into the page-attribute table, as sent. */
  readonly patIndex: number;
}

/** What stands for "nothing is bound". */
const UNBOUND = { says: "unbound" } as const;
/** In the range that anv maps NULL for itself; its own objects lie over it, and nothing in it is a resource. */
const OWN_NULL = { says: "uncover" } as const;

/** Where the members of a call and of an operation lie. */
const BIND = VM_BIND.fields;
const OP = VM_BIND_OP.fields;

type Kind = Pick<XeTraceOp, "what" | "heading" | "effect">;

const OPS: ReadonlyMap<number, Kind> = new Map<number, Kind>([
  [VM_BIND_OP_MAP, { what: "map", heading: "MAP", effect: "map" }],
  [VM_BIND_OP_UNMAP, { what: "unmap", heading: "UNMAP", effect: "unmap" }],
  [VM_BIND_OP_MAP_USERPTR, { what: "map-userptr", heading: "MAP_USERPTR", effect: "map" }],
  [VM_BIND_OP_UNMAP_ALL, { what: "unmap-all", heading: "UNMAP_ALL", effect: "unmap-object" }],
  [VM_BIND_OP_PREFETCH, { what: "prefetch", heading: "PREFETCH", effect: "none" }],
]);
const NULL: Kind = { what: "map-null", heading: "NULL", effect: "map" };
const UNKNOWN: Kind = { what: "unknown", heading: "", effect: "none" };

class XeDecoder implements Decoder<XeTraceOp> {
  decode(call: CallReader): Action<XeTraceOp> {
    switch (IOCTLS.own(call.request)) {
      case IOCTL_VM_CREATE: {
        const { vmId, flags } = call.returned(VM_CREATE);
        const scratch = flags & VM_CREATE_FLAG_SCRATCH_PAGE ? ", scratch page" : "";
        return { kind: "vm-create", vm: vmId, text: `VM ${vmId}${scratch}` };
      }
      case IOCTL_VM_DESTROY: {
        const { vmId } = call.sent(VM_DESTROY);
        return { kind: "vm-destroy", vm: vmId, text: `VM ${vmId}` };
      }
      case IOCTL_GEM_CREATE: {
        const bo = call.returned(GEM_CREATE);
        const owner = bo.vmId ? `, only for VM ${bo.vmId}` : "";
        const text = `BO ${bo.handle}, ${size(bo.size)}, placement ${hex(bo.placement)}${owner}`;
        return { kind: "bo-create", handle: bo.handle, size: bo.size, text };
      }
      case DRM_IOCTL_GEM_CLOSE: {
        const { handle } = call.sent(GEM_CLOSE);
        return { kind: "bo-close", handle, text: `BO ${handle}` };
      }
      case IOCTL_VM_BIND: {
        const arg = call.sentBytes(VM_BIND);
        const vm = arg.getUint32(BIND.vmId.offset, true);
        const queueId = arg.getUint32(BIND.execQueueId.offset, true);
        const isOne = arg.getUint32(BIND.numBinds.offset, true) === 1;
        const ops = isOne ? [decodeOp(arg, BIND.bind.offset)] : decodeOps(call);
        return new SentBind(vm, queueId, ops);
      }
      case IOCTL_MADVISE:
        return { kind: "other", text: adviceOf(call.sent(MADVISE)) };
      case IOCTL_VM_QUERY_MEM_RANGE_ATTRS: {
        const { vmId, numMemRanges } = call.returned(VM_QUERY_MEM_RANGE_ATTR);
        return { kind: "other", text: `VM ${vmId}, ${counted(numMemRanges, "mapping")}` };
      }
      case IOCTL_VM_GET_PROPERTY: {
        const { vmId, size: bytes } = call.returned(VM_GET_PROPERTY);
        return { kind: "other", text: `VM ${vmId}, ${counted(Math.floor(bytes / VM_FAULT.size), "fault")}` };
      }
      default:
        return { kind: "other", text: "" };
    }
  }
}

/** A VM_BIND: put into words for those who ask. */
class SentBind implements BindAction<XeTraceOp> {
  readonly kind = "bind";
  readonly vm: number;
  readonly ops: readonly XeTraceOp[];
  readonly #queueId: number;

  constructor(vm: number, queueId: number, ops: readonly XeTraceOp[]) {
    this.vm = vm;
    this.ops = ops;
    this.#queueId = queueId;
  }

  get text(): string {
    const queue = this.#queueId === 0 ? "default queue" : `queue ${this.#queueId}`;
    return `VM ${this.vm}, ${queue}, ${counted(this.ops.length, "op")}`;
  }
}

/** What a MADVISE says of which range. */
function adviceOf({ vmId, start, range, type, val }: Madvise): string {
  const where = `VM ${vmId}, ${span(start, range)}`;
  switch (type) {
    case MEM_RANGE_ATTR_PREFERRED_LOC: {
      const fd = val | 0;
      const place =
        fd === PREFERRED_LOC_DEFAULT_SYSTEM ? "system memory" : fd === 0 ? "the device" : `fd ${fd}`;
      return `${where}: preferred location ${place}`;
    }
    case MEM_RANGE_ATTR_ATOMIC:
      return `${where}: atomics of ${["nobody in particular", "the GPU", "both", "the CPU"][val] ?? val}`;
    case MEM_RANGE_ATTR_PAT:
      return `${where}: pat ${val}`;
    case VMA_ATTR_PURGEABLE_STATE:
      return `${where}: ${val === VMA_PURGEABLE_STATE_WILLNEED ? "needed" : "not needed"}`;
    default:
      return `${where}: attribute ${type}`;
  }
}

function decodeOps(call: CallReader): XeTraceOp[] {
  const { view, count, stride } = call.elementBytes(VM_BIND_OPS);
  const ops: XeTraceOp[] = [];
  for (let i = 0; i < count; i++) ops.push(decodeOp(view, i * stride));
  return ops;
}

/** One literal for all, and no spread: who looks at operations looks at a hundred thousand, and they should have one shape. */
function decodeOp(view: DataView, at: number): XeTraceOp {
  const op = view.getUint32(at + OP.op.offset, true);
  const flags = view.getUint32(at + OP.flags.offset, true);
  const addr = readU64(view, at + OP.addr.offset);
  const range = readU64(view, at + OP.range.offset);
  const handle = view.getUint32(at + OP.obj.offset, true);
  const offset = readU64(view, at + OP.objOffset.offset);
  const patIndex = view.getUint16(at + OP.patIndex.offset, true);
  const isNull = op === VM_BIND_OP_MAP && (flags & VM_BIND_FLAG_NULL) !== 0;
  const sparse = !isNull ? undefined : isAnvOwnNull(addr, range) ? OWN_NULL : UNBOUND;
  const known = isNull ? NULL : OPS.get(op);
  const { what, effect } = known ?? UNKNOWN;
  const heading = known?.heading ?? `op ${op}`;
  return { what, heading, effect, addr, range, handle, offset, flags, sparse, patIndex };
}

function describe(op: XeTraceOp): string {
  const readOnly = op.flags & VM_BIND_FLAG_READONLY ? " READONLY" : "";
  const where = `${op.heading}${readOnly} ${span(op.addr, op.range)}`;
  switch (op.what) {
    case "unmap-all":
      return `UNMAP_ALL of BO ${op.handle}`;
    case "map":
      return `${where} -> BO ${op.handle} + ${hex(op.offset)}, pat ${op.patIndex}`;
    case "map-userptr":
      return `${where} -> user ${hex(op.offset)}`;
    default:
      return where;
  }
}

function deviceOf(header: HeaderReader, allocFault?: AllocFault): XeDevice {
  const pciId = header.hex("pci_id");
  const vaBits = header.integer("va_bits", 32, 57);
  header.integer("min_alignment", 4096);
  const regions = header.list("mem_regions").map((region) => {
    region.integer("instance", 0);
    return { class: region.oneOf("class", ["sysmem", "vram"]), size: region.hex("size") };
  });
  const boFragmentation = header.fragmentation("bo_fragmentation");
  const quirks = header.quirks(QUIRKS);
  // Recordings that do not say it were answered by a kernel, or a stand-in for one, that forces no scratch page on a VM.
  const forcedScratch = header.has("forced_scratch") && header.flag("forced_scratch");
  const memoryPressure = header.has("memory_pressure") && header.flag("memory_pressure");
  const sysNice = header.has("sys_nice") && header.flag("sys_nice");
  const debugBuild = header.has("debug_build") && header.flag("debug_build");
  const platform = platformOfPciId(pciId);
  if (!platform) return header.fail("pci_id", `no platform ${hex(pciId)}`);
  const vram = regions.filter((region) => region.class === "vram");
  const vramBytes = vram.reduce((sum, region) => sum + region.size, 0);
  return new XeDevice({
    platform: { ...platform, vaBits, vramBytes },
    ...(boFragmentation && { boFragmentation }),
    ...header.memory(PAGE_BYTES),
    quirks,
    forcedScratch,
    memoryPressure,
    debugBuild,
    sysNice,
    ...(allocFault && { allocFault }),
    // Syncobjs are made by ioctls that recordings leave out.
    adoptSyncobjs: true,
  });
}

/** Xe's traces. */
export const lens: Lens<XeTraceOp, XeFile, XeDevice> = {
  name: "xe",
  headings: ["MAP", "NULL", "UNMAP", "UNMAP_ALL"],
  costSchema: COST_SCHEMA,
  quirks: QUIRKS,
  closeUnmaps: false,
  describe,
  mayWrite: ({ flags }) => (flags & VM_BIND_FLAG_READONLY) === 0,
  details: ({ patIndex }) => ({ pat_index: patIndex }),
  decoder: () => new XeDecoder(),
  device: deviceOf,
  arrays: (request) => IOCTLS.row(request)?.arrays ?? [],
  checkInvariants: checkDeviceInvariants,
  /** Queues of hardware engines are left out of recordings, yet they take ids: the id of the next bind queue tells how many. */
  beforeCall(file, call) {
    if (IOCTLS.own(call.request) !== IOCTL_EXEC_QUEUE_CREATE || call.ret !== 0) return;
    file.reserveExecQueues(call.returned(EXEC_QUEUE_CREATE).execQueueId);
  },
};
