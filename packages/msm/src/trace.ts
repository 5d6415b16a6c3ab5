/**
 * What a recorded msm ioctl means: the lens through which `@vmbind/trace` reads, replays and tells traces of Mesa's turnip.
 *
 * @packageDocumentation
 */

import { type AllocFault, counted, DRM_IOCTL_GEM_CLOSE, EINVAL, fail, hex, size, span } from "@vmbind/drm";
import type { Action, BindOp, CallReader, Decoder, HeaderReader, Lens } from "@vmbind/trace";
import { checkDeviceInvariants } from "./check-invariants.ts";
import { COST_SCHEMA } from "./cost-sheet.ts";
import { MsmDevice } from "./device.ts";
import { type MsmFile, VM_ID } from "./file.ts";
import { IOCTLS, VM_BIND_OPS } from "./ioctls.ts";
import { defaults } from "./options.ts";
import { PAGE_BYTES } from "./page-table.ts";
import { QUIRKS } from "./quirks.ts";
import {
  BO_NO_SHARE,
  GEM_CLOSE,
  GEM_MADVISE,
  GEM_NEW,
  IOCTL_GEM_MADVISE,
  IOCTL_GEM_NEW,
  IOCTL_GET_PARAM,
  IOCTL_SET_PARAM,
  IOCTL_SUBMITQUEUE_CLOSE,
  IOCTL_SUBMITQUEUE_NEW,
  IOCTL_VM_BIND,
  MADV_DONTNEED,
  OP_DUMP,
  OP_MAP,
  OP_MAP_NULL,
  OP_UNMAP,
  PARAM_ARG,
  PARAM_NAMES,
  SUBMITQUEUE_CLOSE,
  SUBMITQUEUE_NEW,
  SUBMITQUEUE_VM_BIND,
  VA_START,
  VM_BIND,
  type VmBindOp,
} from "./uapi.ts";

/** One operation of a recorded VM_BIND. */
export interface MsmTraceOp extends BindOp {
  /** Which operation it is. */
  readonly what: "map" | "map-null" | "unmap" | "unknown";
}

/** What stands for "nothing is bound". */
const UNBOUND = { says: "unbound" } as const;

class MsmDecoder implements Decoder<MsmTraceOp> {
  /** The file's VM has no ioctl that makes it; no bind comes before the first queue for binds. */
  #hasVm = false;

  decode(call: CallReader): Action<MsmTraceOp> {
    switch (IOCTLS.own(call.request)) {
      case IOCTL_SUBMITQUEUE_NEW:
        return this.#queueNew(call);
      case IOCTL_SUBMITQUEUE_CLOSE:
        return { kind: "other", text: `queue ${call.sent(SUBMITQUEUE_CLOSE).id}` };
      case IOCTL_SET_PARAM:
      case IOCTL_GET_PARAM: {
        const { param, value } = call.returned(PARAM_ARG);
        return { kind: "other", text: `${PARAM_NAMES.values.get(param) ?? hex(param)} = ${hex(value)}` };
      }
      case IOCTL_GEM_NEW: {
        const bo = call.returned(GEM_NEW);
        const text = `BO ${bo.handle}, ${size(bo.size)}${bo.flags & BO_NO_SHARE ? ", not to be shared" : ""}`;
        // The kernel rounds up, and does not say so.
        const bytes = Math.ceil(bo.size / PAGE_BYTES) * PAGE_BYTES;
        return { kind: "bo-create", handle: bo.handle, size: bytes, text };
      }
      case DRM_IOCTL_GEM_CLOSE: {
        const { handle } = call.sent(GEM_CLOSE);
        return { kind: "bo-close", handle, text: `BO ${handle}` };
      }
      case IOCTL_GEM_MADVISE: {
        const { handle, madv } = call.sent(GEM_MADVISE);
        return {
          kind: "other",
          text: `BO ${handle}: ${madv === MADV_DONTNEED ? "may be thrown away" : "wanted"}`,
        };
      }
      case IOCTL_VM_BIND:
        return bind(call);
      default:
        return { kind: "other", text: "" };
    }
  }

  #queueNew(call: CallReader): Action<MsmTraceOp> {
    const { id, flags } = call.returned(SUBMITQUEUE_NEW);
    const forBinds = (flags & SUBMITQUEUE_VM_BIND) !== 0;
    const text = `queue ${id}${forBinds ? " of VM_BIND" : ""}`;
    if (!forBinds || this.#hasVm || call.ret !== 0) return { kind: "other", text };
    this.#hasVm = true;
    return { kind: "vm-create", vm: VM_ID, text: `the file's VM, ${text}` };
  }
}

function bind(call: CallReader): Action<MsmTraceOp> {
  const { nrOps, queueId, op } = call.sent(VM_BIND);
  const ops = nrOps === 1 ? [decodeOp(op)] : call.elements(VM_BIND_OPS).map(decodeOp);
  return { kind: "bind", vm: VM_ID, ops, text: `queue ${queueId}, ${counted(ops.length, "op")}` };
}

/** Members are named in each: a hundred thousand copies by spread take ten times as long. */
function decodeOp({ op, handle, objOffset: offset, iova: addr, range, flags }: VmBindOp): MsmTraceOp {
  switch (op) {
    case OP_UNMAP:
      return { what: "unmap", heading: "UNMAP", effect: "unmap", addr, range, handle, offset, flags };
    case OP_MAP:
      return { what: "map", heading: "MAP", effect: "map", addr, range, handle, offset, flags };
    case OP_MAP_NULL: {
      const sparse = UNBOUND;
      return {
        what: "map-null",
        heading: "MAP_NULL",
        effect: "map",
        addr,
        range,
        handle,
        offset,
        flags,
        sparse,
      };
    }
    default:
      return { what: "unknown", heading: `op ${op}`, effect: "none", addr, range, handle, offset, flags };
  }
}

function describe(op: MsmTraceOp): string {
  const where = `${op.heading}${op.flags & OP_DUMP ? " DUMP" : ""} ${span(op.addr, op.range)}`;
  return op.what === "map" ? `${where} -> BO ${op.handle} + ${hex(op.offset)}` : where;
}

function deviceOf(header: HeaderReader, allocFault?: AllocFault): MsmDevice {
  const chipId = header.hex("chip_id");
  header.oneOf("page_size", [PAGE_BYTES]);
  const vaStart = header.hex("va_start");
  if (vaStart !== VA_START) header.fail("va_start", `Expected ${hex(VA_START)}`);
  const vaBits = Math.log2(vaStart + header.hex("va_size"));
  if (!(Number.isInteger(vaBits) && vaBits >= 33 && vaBits <= 48))
    header.fail("va_size", "Expected va_start + va_size to be a power of two from 2^33 to 2^48");
  const prr = header.flag("has_prr");
  const boFragmentation = header.fragmentation("bo_fragmentation");
  const quirks = header.quirks(QUIRKS);
  return new MsmDevice({
    vaBits,
    prr,
    // Recordings do not say it, and their queues allow preemption.
    preemption: false,
    params: { ...defaults().params, chipId },
    ...(boFragmentation && { boFragmentation }),
    ...header.memory(PAGE_BYTES),
    quirks,
    ...(allocFault && { allocFault }),
    // Syncobjs are made by ioctls that recordings leave out.
    adoptSyncobjs: true,
  });
}

/** msm's traces. */
export const lens: Lens<MsmTraceOp, MsmFile, MsmDevice> = {
  name: "msm",
  headings: ["MAP", "MAP_NULL", "UNMAP"],
  costSchema: COST_SCHEMA,
  quirks: QUIRKS,
  closeUnmaps: false,
  describe,
  decoder: () => new MsmDecoder(),
  device: deviceOf,
  arrays: (request) => IOCTLS.row(request)?.arrays ?? [],
  evict(device, file, handle) {
    device.evict(file.bo(handle) ?? fail(EINVAL, `evict: no object ${handle}`));
  },
  restore(file) {
    for (const [, vm] of file.vms()) vm.validate();
  },
  checkInvariants: checkDeviceInvariants,
};
