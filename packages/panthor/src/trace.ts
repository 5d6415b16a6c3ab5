/**
 * What a recorded panthor ioctl means: the lens through which `@vmbind/trace` reads, replays and tells traces of Mesa's panvk.
 *
 * @packageDocumentation
 */

import {
  type AllocFault,
  counted,
  DRM_IOCTL_GEM_CLOSE,
  EINVAL,
  fail,
  GEM_CLOSE,
  hex,
  readU64,
  size,
  span,
} from "@vmbind/drm";
import type {
  Action,
  BindAction,
  BindOp,
  CallReader,
  Decoder,
  HeaderReader,
  Lens,
  TraceHeader,
} from "@vmbind/trace";
import { isSlotMask } from "./as-slots.ts";
import { checkDeviceInvariants } from "./check-invariants.ts";
import { COST_SCHEMA } from "./cost-sheet.ts";
import { PanthorDevice } from "./device.ts";
import type { PanthorFile } from "./file.ts";
import { IOCTLS, VM_BIND_OPS } from "./ioctls.ts";
import { DRIVER_VERSIONS, defaults } from "./options.ts";
import { BLOCK_2M, PAGE_BYTES } from "./page-sizes.ts";
import { type PanthorQuirks, QUIRKS } from "./quirks.ts";
import {
  BO_CREATE,
  BO_NO_MMAP,
  BO_QUERY_INFO,
  BO_SET_LABEL,
  BO_SYNC,
  IOCTL_BO_CREATE,
  IOCTL_BO_QUERY_INFO,
  IOCTL_BO_SET_LABEL,
  IOCTL_BO_SYNC,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  IOCTL_VM_DESTROY,
  MAP_NOEXEC,
  MAP_READONLY,
  MAP_SPARSE,
  MAP_UNCACHED,
  OP_MAP,
  OP_SYNC_ONLY,
  OP_TYPE_MASK,
  OP_UNMAP,
  VM_BIND,
  VM_BIND_ASYNC,
  VM_BIND_OP_REPEAT,
  VM_CREATE,
  VM_DESTROY,
} from "./uapi.ts";
import { PANVK_OPS_PER_IOCTL } from "./umd.ts";
import { vmBindRun } from "./vm-bind.ts";

/** A MAP of an object or of the dummy, or an UNMAP. */
export interface PanthorRangeOp extends BindOp {
  /** Which operation it is; `map-blackhole` maps the object that panvk puts where nothing is bound. */
  readonly what: "map-memory" | "map-blackhole" | "map-sparse" | "unmap";
}

/** A MAP of the REPEAT proposal. */
export interface PanthorRepeatOp extends BindOp {
  /** Which operation it is. */
  readonly what: "map-repeat";
  /** Bytes of the object that repeat. */
  readonly windowBytes: number;
}

/** An operation that only waits and signals. */
export interface PanthorSyncOp extends BindOp {
  /** Which operation it is. */
  readonly what: "sync-only";
  /** Elements of its sync array. */
  readonly syncs: number;
}

/** An operation of no known type. */
export interface PanthorUnknownOp extends BindOp {
  /** Which operation it is. */
  readonly what: "unknown";
  /** Its type bits, in place. */
  readonly type: number;
}

/** One operation of a recorded VM_BIND. */
export type PanthorTraceOp = PanthorRangeOp | PanthorRepeatOp | PanthorSyncOp | PanthorUnknownOp;

/** What stands for "nothing is bound". */
const UNBOUND = { says: "unbound" } as const;

class PanthorDecoder implements Decoder<PanthorTraceOp> {
  /** panvk makes its blackhole only where the kernel has no MAP_SPARSE. */
  readonly #mayHaveBlackhole: boolean;
  readonly #repeats: boolean;
  /** Bytes of the object that is mapped over and over where the kernel has no MAP_SPARSE. */
  readonly #blackholeBytes: number;
  #blackhole = 0;

  constructor(header: TraceHeader) {
    this.#repeats = header["repeat_proposal"] === true;
    // Not in recordings: panvk's object is a block; set by traces of the strategy that maps a page.
    this.#blackholeBytes = header["dummy_bytes"] === PAGE_BYTES ? PAGE_BYTES : BLOCK_2M;
    this.#mayHaveBlackhole = Number(String(header["driver_version"]).split(".")[1]) < 9;
  }

  decode(call: CallReader): Action<PanthorTraceOp> {
    switch (IOCTLS.own(call.request)) {
      case IOCTL_VM_CREATE: {
        const { id, userVaRange } = call.returned(VM_CREATE);
        return { kind: "vm-create", vm: id, text: `VM ${id}, user VA ${size(userVaRange)}` };
      }
      case IOCTL_VM_DESTROY: {
        const { id } = call.sent(VM_DESTROY);
        return { kind: "vm-destroy", vm: id, text: `VM ${id}` };
      }
      case IOCTL_BO_CREATE:
        return this.#boCreate(call);
      case DRM_IOCTL_GEM_CLOSE: {
        const { handle } = call.sent(GEM_CLOSE);
        return { kind: "bo-close", handle, text: `BO ${handle}` };
      }
      case IOCTL_BO_SET_LABEL:
        return { kind: "other", text: `BO ${call.sent(BO_SET_LABEL).handle}` };
      case IOCTL_BO_QUERY_INFO:
        return { kind: "other", text: `BO ${call.sent(BO_QUERY_INFO).handle}` };
      case IOCTL_BO_SYNC:
        return { kind: "other", text: counted(call.sent(BO_SYNC).ops.count, "op") };
      case IOCTL_VM_BIND:
        return new SentBind(call, this.#repeats, this.#blackhole);
      default:
        return { kind: "other", text: "" };
    }
  }

  #boCreate(call: CallReader): Action<PanthorTraceOp> {
    const bo = call.returned(BO_CREATE);
    if (this.#mayHaveBlackhole && bo.size === this.#blackholeBytes && bo.flags === BO_NO_MMAP) {
      this.#blackhole = bo.handle;
    }
    const owner = bo.exclusiveVmId ? `, only for VM ${bo.exclusiveVmId}` : "";
    const text = `BO ${bo.handle}, ${size(bo.size)}${owner}`;
    return { kind: "bo-create", handle: bo.handle, size: bo.size, text };
  }
}

/**
 * A VM_BIND. One operation for each 4 KiB may come by the million, and the model alone looks at them: they are decoded, and the call is put
 * into words, for those who ask.
 */
class SentBind implements BindAction<PanthorTraceOp> {
  readonly kind = "bind";
  readonly count: number;
  readonly #call: CallReader;
  readonly #repeats: boolean;
  readonly #blackhole: number;
  #ops: readonly PanthorTraceOp[] | null = null;

  /**
   * @param call - the ioctl
   * @param repeats - whether the driver has the REPEAT proposal
   * @param blackhole - handle of the object that stands for "nothing is bound", 0 for none so far
   */
  constructor(call: CallReader, repeats: boolean, blackhole: number) {
    this.count = call.count(VM_BIND_OPS);
    this.#call = call;
    this.#repeats = repeats;
    this.#blackhole = blackhole;
  }

  get vm(): number {
    return this.#call.sentBytes(VM_BIND).getUint32(VM_BIND.fields.vmId.offset, true);
  }

  get text(): string {
    const { vmId, flags } = this.#call.sent(VM_BIND);
    return `VM ${vmId}, ${flags & VM_BIND_ASYNC ? "async" : "sync"}, ${counted(this.count, "op")}`;
  }

  get ops(): readonly PanthorTraceOp[] {
    this.#ops ??= this.#decode();
    return this.#ops;
  }

  #decode(): PanthorTraceOp[] {
    const { view, count, stride } = this.#call.elementBytes(this.#array);
    const ops: PanthorTraceOp[] = [];
    for (let i = 0; i < count; i++) ops.push(decodeOp(view, i * stride, this.#repeats, this.#blackhole));
    return ops;
  }

  /** panvk cuts a list that is too long for one call; the syncs of a queue bind are on its very last operation. */
  get more(): boolean {
    return this.count === PANVK_OPS_PER_IOCTL && this.#call.elements(VM_BIND_OPS).at(-1)?.syncs.count === 0;
  }

  /** The REPEAT proposal's operations have one member more. */
  get #array(): Pick<typeof VM_BIND_OPS, "pointer" | "count" | "stride" | "element"> {
    return this.#repeats ? REPEAT_OPS : VM_BIND_OPS;
  }
}

const REPEAT_OPS = { ...VM_BIND_OPS, element: VM_BIND_OP_REPEAT };

/** Where the members of an operation lie. */
const OP = VM_BIND_OP_REPEAT.fields;

/**
 * One literal for most, and no spread: who looks at operations looks at a hundred thousand, and they should have one shape.
 *
 * @param blackhole - handle of the object that stands for "nothing is bound", 0 for none so far
 */
function decodeOp(view: DataView, at: number, repeats: boolean, blackhole: number): PanthorTraceOp {
  const flags = view.getUint32(at + OP.flags.offset, true);
  const handle = view.getUint32(at + OP.boHandle.offset, true);
  const offset = readU64(view, at + OP.boOffset.offset);
  const addr = readU64(view, at + OP.va.offset);
  const range = readU64(view, at + OP.size.offset);
  const type = (flags & OP_TYPE_MASK) >>> 0;
  if (type === OP_SYNC_ONLY) {
    const what = "sync-only";
    const syncs = OP.syncs.read(view, at).count;
    return { what, heading: "SYNC_ONLY", effect: "none", addr, range, handle, offset, flags, syncs };
  }
  if (type !== OP_MAP && type !== OP_UNMAP) {
    return { what: "unknown", heading: "unknown", effect: "none", addr, range, handle, offset, flags, type };
  }
  const maps = type === OP_MAP;
  const effect = maps ? "map" : "unmap";
  const windowBytes = maps && repeats ? OP.boRepeatRange.read(view, at) : 0;
  if (windowBytes !== 0) {
    const heading = "MAP REPEAT";
    const sparse = UNBOUND;
    return { what: "map-repeat", heading, effect, addr, range, handle, offset, flags, sparse, windowBytes };
  }
  let what: PanthorRangeOp["what"] = maps ? "map-memory" : "unmap";
  if (maps && flags & MAP_SPARSE) what = "map-sparse";
  else if (maps && handle !== 0 && handle === blackhole) what = "map-blackhole";
  const heading = HEADINGS[what];
  const sparse = what === "map-sparse" || what === "map-blackhole" ? UNBOUND : undefined;
  return { what, heading, effect, addr, range, handle, offset, flags, sparse };
}

const HEADINGS: Readonly<Record<PanthorRangeOp["what"], string>> = {
  "map-memory": "MAP memory",
  "map-blackhole": "MAP blackhole",
  "map-sparse": "MAP SPARSE",
  unmap: "UNMAP",
};

function describe(op: PanthorTraceOp): string {
  const where = span(op.addr, op.range);
  const object = `BO ${op.handle} + ${hex(op.offset)}`;
  switch (op.what) {
    case "unmap":
      return `UNMAP ${where}`;
    case "sync-only":
      return `SYNC_ONLY, ${counted(op.syncs, "sync")}`;
    case "unknown":
      return `type ${hex(op.type)} ${where}`;
    case "map-sparse":
      return `MAP SPARSE${flagNames(op.flags)} ${where}`;
    case "map-repeat":
      return `MAP REPEAT${flagNames(op.flags)} ${where} -> ${size(op.windowBytes)} of ${object}, repeated`;
    default:
      return `${op.heading}${flagNames(op.flags)} ${where} -> ${object}`;
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
function mayBreak({ repeatUnaligned, repeatWholeWindows }: PanthorQuirks): boolean {
  return repeatUnaligned || repeatWholeWindows;
}

function deviceOf(header: HeaderReader, allocFault?: AllocFault): PanthorDevice {
  const driverVersion = header.oneOf("driver_version", DRIVER_VERSIONS);
  const gpuId = header.hex("gpu_id");
  const vaBits = header.integer("va_bits", 32, 48);
  const paBits = header.integer("pa_bits", 32, 48);
  header.hex("page_size_bitmap");
  // Not in recordings: set by traces derived for the REPEAT proposal.
  const repeats = header.has("repeat_proposal") && header.flag("repeat_proposal");
  const boFragmentation = header.fragmentation("bo_fragmentation");
  const dummyFragmentation = header.fragmentation("dummy_fragmentation");
  // Not in recordings: slots come and go by what runs, which those leave out.
  const asPresent = header.has("as_present") ? header.hex("as_present") : defaults().asPresent;
  if (!isSlotMask(asPresent)) header.fail("as_present", "Expected 2 to 32 bits from bit 0 on, without gaps");
  const quirks = header.quirks(QUIRKS);
  return new PanthorDevice({
    driverVersion,
    gpuId,
    vaBits,
    paBits,
    asPresent,
    repeat: repeats ? "v5" : "off",
    ...(boFragmentation && { boFragmentation }),
    ...(dummyFragmentation && { dummyFragmentation }),
    ...header.memory(PAGE_BYTES),
    quirks,
    ...(allocFault && { allocFault }),
    // Syncobjs are made by ioctls that recordings leave out.
    adoptSyncobjs: true,
  });
}

/** Panthor's traces. */
export const lens: Lens<PanthorTraceOp, PanthorFile, PanthorDevice> = {
  name: "panthor",
  headings: ["MAP memory", "MAP blackhole", "MAP SPARSE", "UNMAP", "SYNC_ONLY"],
  costSchema: COST_SCHEMA,
  quirks: QUIRKS,
  closeUnmaps: false,
  describe,
  mayWrite: ({ flags }) => (flags & MAP_READONLY) === 0,
  decoder: (header) => new PanthorDecoder(header),
  device: deviceOf,
  arrays: (request) => IOCTLS.row(request)?.arrays ?? [],
  issueRun: (file, { request, argIn }, bytes, calls) =>
    request === IOCTL_VM_BIND ? vmBindRun(file, argIn, bytes, calls) : 0,
  evict(device, file, handle) {
    const bo = handle === 0 ? file.dummy : file.bo(handle);
    device.evict(bo ?? fail(EINVAL, `evict: no object ${handle}`));
  },
  restore(file) {
    for (const [, vm] of file.vms()) vm.validate();
  },
  checkInvariants(device, files) {
    checkDeviceInvariants(device, files);
    const { kernelWarnings } = device.counters;
    if (kernelWarnings > 0 && !mayBreak(device.options.quirks)) {
      throw new Error(`kernel-warnings: ${kernelWarnings}`);
    }
  },
};
