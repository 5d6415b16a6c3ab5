/**
 * What a recorded asahi ioctl means: the lens through which `@vmbind/trace` reads, replays and tells traces of Mesa's hk.
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
import type {
  Action,
  BindAction,
  BindOp,
  CallReader,
  Decoder,
  Finding,
  HeaderReader,
  Interval,
  Lens,
  SparseWord,
  TraceHeader,
} from "@vmbind/trace";
import { checkDeviceInvariants } from "./check-invariants.ts";
import { COST_SCHEMA } from "./cost-sheet.ts";
import { AsahiDevice } from "./device.ts";
import type { AsahiFile } from "./file.ts";
import { IOCTLS, VM_BIND_OPS } from "./ioctls.ts";
import { QUIRKS } from "./quirks.ts";
import {
  BIND_READ,
  BIND_SINGLE_PAGE,
  BIND_UNBIND,
  BIND_WRITE,
  GEM_BIND_OP,
  GEM_CREATE,
  IOCTL_GEM_CREATE,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  IOCTL_VM_DESTROY,
  PAGE_BYTES,
  VM_BIND,
  VM_CREATE,
  VM_DESTROY,
} from "./uapi.ts";
import { type HkAddressPlan, hkAddressPlan } from "./umd.ts";

/** One operation of a recorded VM_BIND. */
export interface AsahiTraceOp extends BindOp {
  /** Which operation it is. */
  readonly what: "bind" | "unbind";
}

/** hk maps device memory and sparse resources a second time, read-only, this far up. */
const MIRROR_OFFSET = 2 ** 36;

/** Where the members of an operation lie. */
const OP = GEM_BIND_OP.fields;

/** What stands for "nothing is bound". */
const UNBOUND = { says: "unbound" } as const;

class AsahiDecoder implements Decoder<AsahiTraceOp> {
  readonly #plan: HkAddressPlan;
  /** What is said at the second view: of what is bound there, and of what is not. */
  readonly #second: SparseWord;
  readonly #secondUnbound: SparseWord;

  /** @param header - says how large the address space is, from which hk derives where it puts what */
  constructor(header: TraceHeader) {
    const fact = (name: string): number | undefined => {
      const value = header[name];
      return typeof value === "string" ? Number(value) : undefined;
    };
    this.#plan = hkAddressPlan(fact("vm_start"), fact("vm_end"), fact("vm_kernel_min_size"));
    const view = this.#plan.mirrorOffset;
    this.#second = { view };
    this.#secondUnbound = { ...UNBOUND, view };
  }

  decode(call: CallReader): Action<AsahiTraceOp> {
    switch (IOCTLS.own(call.request)) {
      case IOCTL_VM_CREATE: {
        const { vmId, kernelStart, kernelEnd } = call.returned(VM_CREATE);
        const kernel = span(kernelStart, kernelEnd - kernelStart);
        return { kind: "vm-create", vm: vmId, text: `VM ${vmId}, kernel ${kernel}` };
      }
      case IOCTL_VM_DESTROY: {
        const { vmId } = call.sent(VM_DESTROY);
        return { kind: "vm-destroy", vm: vmId, text: `VM ${vmId}` };
      }
      case IOCTL_GEM_CREATE: {
        const bo = call.returned(GEM_CREATE);
        const text = `BO ${bo.handle}, ${size(bo.size)}${bo.vmId ? `, only for VM ${bo.vmId}` : ""}`;
        // The driver rounds up, and does not say so.
        const bytes = Math.ceil(bo.size / PAGE_BYTES) * PAGE_BYTES;
        return { kind: "bo-create", handle: bo.handle, size: bytes, text };
      }
      case DRM_IOCTL_GEM_CLOSE: {
        const { handle } = call.sent(GEM_CLOSE);
        return { kind: "bo-close", handle, text: `BO ${handle}` };
      }
      case IOCTL_VM_BIND: {
        const { vmId } = call.sent(VM_BIND);
        const { view, count, stride } = call.elementBytes(VM_BIND_OPS);
        const ops: AsahiTraceOp[] = [];
        for (let i = 0; i < count; i++) ops.push(this.#op(view, i * stride));
        return new SentBind(vmId, ops);
      }
      default:
        return { kind: "other", text: "" };
    }
  }

  #op(view: DataView, at: number): AsahiTraceOp {
    const flags = view.getUint32(at + OP.flags.offset, true);
    const handle = view.getUint32(at + OP.handle.offset, true);
    const offset = readU64(view, at + OP.offset.offset);
    const range = readU64(view, at + OP.range.offset);
    const addr = readU64(view, at + OP.addr.offset);
    // Device memory and sparse resources show a second time, to be read only; what is done there repeats what is done at A.
    const { heap, heapBytes, mirrorOffset } = this.#plan;
    const inMirror = addr >= heap + mirrorOffset && addr < heap + mirrorOffset + heapBytes;
    const unbinds = (flags & BIND_UNBIND) !== 0;
    const isSparse = (flags & BIND_SINGLE_PAGE) !== 0 && !unbinds;
    const second = isSparse ? this.#secondUnbound : this.#second;
    const sparse = inMirror ? second : isSparse ? UNBOUND : undefined;
    const what = unbinds ? "unbind" : "bind";
    const heading = unbinds ? "UNBIND" : bindHeading(flags);
    const effect = unbinds ? "unmap" : "map";
    // One literal, and no spread: who looks at operations looks at a hundred thousand, and they should have one shape.
    return { what, heading, effect, addr, range, handle, offset, flags, sparse };
  }
}

/** A VM_BIND: put into words for those who ask. */
class SentBind implements BindAction<AsahiTraceOp> {
  readonly kind = "bind";
  readonly vm: number;
  readonly ops: readonly AsahiTraceOp[];

  constructor(vm: number, ops: readonly AsahiTraceOp[]) {
    this.vm = vm;
    this.ops = ops;
  }

  get text(): string {
    return `VM ${this.vm}, ${counted(this.ops.length, "op")}`;
  }
}

/** Headings by the flags that they name, made when they are first wanted: there are few, and operations are many. */
const BIND_HEADINGS = new Map<number, string>();

function bindHeading(flags: number): string {
  const named = flags & (BIND_SINGLE_PAGE | BIND_READ | BIND_WRITE);
  let heading = BIND_HEADINGS.get(named);
  if (heading === undefined) {
    heading = `BIND ${named & BIND_SINGLE_PAGE ? "SINGLE_PAGE " : ""}${access(named)}`;
    BIND_HEADINGS.set(named, heading);
  }
  return heading;
}

function access(flags: number): string {
  const names = [flags & BIND_READ ? "R" : "", flags & BIND_WRITE ? "W" : ""].filter(Boolean);
  return names.join("|") || "no access";
}

function describe(op: AsahiTraceOp): string {
  const where = `${op.heading} ${span(op.addr, op.range)}`;
  return op.what === "unbind" ? where : `${where} -> BO ${op.handle} + ${hex(op.offset)}`;
}

/** The mappings that hk forgets: it unbinds a sparse resource, and not the resource's mirror. */
function findings(destroyed: readonly BindOp[], left: readonly Interval[]): readonly Finding[] {
  const forgotten = left.filter(({ addr, end }) =>
    destroyed.some((op) => addr < op.addr + MIRROR_OFFSET + op.range && op.addr + MIRROR_OFFSET < end),
  );
  if (forgotten.length === 0) return [];
  const bytes = forgotten.reduce((sum, { addr, end }) => sum + end - addr, 0);
  return [
    {
      name: "hk-mirror-left-mapped",
      text:
        `destroying a sparse resource unbinds it at A and not its read-only mirror at A + 2^36; at workload-end ` +
        `${counted(forgotten.length, "mapping")} of ${size(bytes)} of VA are left there`,
    },
  ];
}

function deviceOf(header: HeaderReader, allocFault?: AllocFault): AsahiDevice {
  const chipId = header.hex("chip_id");
  header.oneOf("page_size", [PAGE_BYTES]);
  const vmStart = header.hex("vm_start");
  const vmEnd = header.hex("vm_end");
  const vmKernelMinSize = header.hex("vm_kernel_min_size");
  const softFaults = header.flag("soft_faults");
  const boFragmentation = header.fragmentation("bo_fragmentation");
  const quirks = header.quirks(QUIRKS);
  return new AsahiDevice({
    ...(boFragmentation && { boFragmentation }),
    ...header.memory(PAGE_BYTES),
    softFaults,
    quirks,
    ...(allocFault && { allocFault }),
    params: { chipId, vmStart, vmEnd, vmKernelMinSize },
  });
}

/** Asahi's traces. */
export const lens: Lens<AsahiTraceOp, AsahiFile, AsahiDevice> = {
  name: "asahi",
  headings: ["BIND R|W", "BIND R", "BIND SINGLE_PAGE R|W", "BIND SINGLE_PAGE R", "UNBIND"],
  costSchema: COST_SCHEMA,
  quirks: QUIRKS,
  closeUnmaps: true,
  describe,
  mayWrite: ({ flags }) => (flags & BIND_WRITE) !== 0,
  findings,
  decoder: (header) => new AsahiDecoder(header),
  device: deviceOf,
  arrays: (request) => IOCTLS.row(request)?.arrays ?? [],
  checkInvariants: checkDeviceInvariants,
  // Invalidations are issued for a VM that has run; the recorded clients submit from the start.
  vmCreated: (file, id) => file.vm(id)?.run(),
};
