/**
 * Asahi traces: recorded from Mesa's hk.
 *
 * @module
 */

import {
  AsahiDevice,
  type AsahiFile,
  BIND_READ,
  BIND_SINGLE_PAGE,
  BIND_UNBIND,
  BIND_WRITE,
  COST_SCHEMA,
  checkDeviceInvariants,
  GEM_BIND_OP,
  GEM_CREATE,
  type GemBindOp,
  IOCTL_GEM_CREATE,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  IOCTL_VM_DESTROY,
  NO_QUIRKS,
  VM_BIND,
  VM_CREATE,
  VM_DESTROY,
} from "@vmbind/asahi";
import { counted, DRM_IOCTL_GEM_CLOSE, hex, size, span } from "@vmbind/drm";
import {
  type Action,
  type BindOp,
  type Decoder,
  type Driver,
  elements,
  type Finding,
  fragmentation,
  hexNumber,
  type Interval,
  parseHeader,
  quirksSchema,
  type TraceIoctl,
  viewOf,
} from "@vmbind/trace";
import * as v from "valibot";

const headerSchema = v.looseObject({
  chip_id: hexNumber,
  page_size: v.literal(16384),
  vm_start: hexNumber,
  vm_end: hexNumber,
  vm_kernel_min_size: hexNumber,
  soft_faults: v.boolean(),
  bo_fragmentation: fragmentation,
  quirks: v.exactOptional(quirksSchema(NO_QUIRKS)),
});

/** hk maps device memory and sparse resources a second time, read-only, this far up. */
const MIRROR_OFFSET = 2 ** 36;

class AsahiDecoder implements Decoder {
  decode(call: TraceIoctl): Action {
    const before = viewOf(call.argIn);
    const after = viewOf(call.argOut);
    switch (call.request) {
      case IOCTL_VM_CREATE: {
        const { vmId, kernelStart, kernelEnd } = VM_CREATE.read(after);
        const kernel = span(kernelStart, kernelEnd - kernelStart);
        return { kind: "vm-create", vm: vmId, text: `VM ${vmId}, kernel ${kernel}` };
      }
      case IOCTL_VM_DESTROY: {
        const { vmId } = VM_DESTROY.read(before);
        return { kind: "vm-destroy", vm: vmId, text: `VM ${vmId}` };
      }
      case IOCTL_GEM_CREATE: {
        const bo = GEM_CREATE.read(after);
        const text = `BO ${bo.handle}, ${size(bo.size)}${bo.vmId ? `, only for VM ${bo.vmId}` : ""}`;
        return { kind: "bo-create", handle: bo.handle, size: bo.size, text };
      }
      case DRM_IOCTL_GEM_CLOSE: {
        const handle = before.getUint32(0, true);
        return { kind: "bo-close", handle, text: `BO ${handle}` };
      }
      case IOCTL_VM_BIND: {
        const { vmId } = VM_BIND.read(before);
        const ops = elements(call, "userptr", GEM_BIND_OP).map(decodeOp);
        return { kind: "bind", vm: vmId, ops, text: `VM ${vmId}, ${counted(ops.length, "op")}` };
      }
      default:
        return { kind: "other", text: "" };
    }
  }
}

function decodeOp({ flags, addr, range, handle, offset }: GemBindOp): BindOp {
  const unbind = (flags & BIND_UNBIND) !== 0;
  return {
    kind: unbind ? "UNBIND" : `BIND ${flags & BIND_SINGLE_PAGE ? "SINGLE_PAGE " : ""}${access(flags)}`,
    effect: unbind ? "unmap" : "map",
    addr,
    range,
    handle,
    offset,
    flags,
    extra: 0,
  };
}

function access(flags: number): string {
  const names = [flags & BIND_READ ? "R" : "", flags & BIND_WRITE ? "W" : ""].filter(Boolean);
  return names.join("|") || "no access";
}

function describe({ kind, effect, addr, range, handle, offset }: BindOp): string {
  const where = `${kind} ${span(addr, range)}`;
  return effect === "unmap" ? where : `${where} -> BO ${handle} + ${hex(offset)}`;
}

/** The mappings that hk forgets: it unbinds a sparse resource, and not the resource's mirror. */
function findings(destroyed: readonly BindOp[], left: readonly Interval[]): Finding[] {
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

/** Asahi for the laboratory. */
export const asahi: Driver = {
  name: "asahi",
  kinds: ["BIND R|W", "BIND R", "BIND SINGLE_PAGE R|W", "BIND SINGLE_PAGE R", "UNBIND"],
  costSchema: COST_SCHEMA,
  closeUnmaps: true,
  describe,
  findings,
  decoder: () => new AsahiDecoder(),
  machine(trace) {
    const facts = parseHeader(headerSchema, trace.path, trace.header);
    const device = new AsahiDevice({
      ...(facts.bo_fragmentation && { boFragmentation: facts.bo_fragmentation }),
      softFaults: facts.soft_faults,
      ...(facts.quirks && { quirks: facts.quirks }),
      params: {
        chipId: facts.chip_id,
        vmStart: facts.vm_start,
        vmEnd: facts.vm_end,
        vmKernelMinSize: facts.vm_kernel_min_size,
      },
    });
    const { counters, memory } = device;
    const file = device.open();
    const files = [file];
    return {
      file,
      openFile() {
        const another = device.open();
        files.push(another);
        return another;
      },
      checkInvariants: () => checkDeviceInvariants(device, files),
      counters,
      memory,
      // Invalidations are issued for a VM that has run; the recorded clients submit from the start.
      vmCreated: (id, of) => void (of as AsahiFile).vm(id)?.run(),
    };
  },
};
