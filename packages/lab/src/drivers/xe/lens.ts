/**
 * Xe traces: recorded from Mesa's anv, and from the kernel tests of igt.
 *
 * @module
 */

import { counted, DRM_IOCTL_GEM_CLOSE, hex, size, span, UserMemory } from "@vmbind/drm";
import {
  type Action,
  type BindOp,
  type Decoder,
  type Driver,
  elements,
  fragmentation,
  hexNumber,
  InputError,
  parseHeader,
  quirksSchema,
  type TraceIoctl,
  viewOf,
} from "@vmbind/trace";
import {
  COST_SCHEMA,
  checkDeviceInvariants,
  ENGINE_CLASS_INSTANCE,
  EXEC_QUEUE_CREATE,
  EXEC_QUEUE_DESTROY,
  GEM_CLOSE,
  GEM_CREATE,
  IOCTL_EXEC_QUEUE_CREATE,
  IOCTL_EXEC_QUEUE_DESTROY,
  IOCTL_GEM_CREATE,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  IOCTL_VM_DESTROY,
  NO_QUIRKS,
  PLATFORMS,
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
  type VmBindOp,
  XeDevice,
  type XeFile,
} from "@vmbind/xe";
import * as v from "valibot";

const headerSchema = v.looseObject({
  pci_id: hexNumber,
  va_bits: v.pipe(v.number(), v.integer(), v.minValue(32), v.maxValue(57)),
  min_alignment: v.pipe(v.number(), v.integer(), v.minValue(4096)),
  mem_regions: v.array(
    v.looseObject({ instance: v.number(), class: v.picklist(["sysmem", "vram"]), size: hexNumber }),
  ),
  bo_fragmentation: fragmentation,
  quirks: v.exactOptional(quirksSchema(NO_QUIRKS)),
});

class XeDecoder implements Decoder {
  decode(call: TraceIoctl): Action {
    const before = viewOf(call.argIn);
    const after = viewOf(call.argOut);
    switch (call.request) {
      case IOCTL_VM_CREATE: {
        const { vmId, flags } = VM_CREATE.read(after);
        const scratch = flags & VM_CREATE_FLAG_SCRATCH_PAGE ? ", scratch page" : "";
        return { kind: "vm-create", vm: vmId, text: `VM ${vmId}${scratch}` };
      }
      case IOCTL_VM_DESTROY: {
        const { vmId } = VM_DESTROY.read(before);
        return { kind: "vm-destroy", vm: vmId, text: `VM ${vmId}` };
      }
      case IOCTL_GEM_CREATE: {
        const bo = GEM_CREATE.read(after);
        const owner = bo.vmId ? `, only for VM ${bo.vmId}` : "";
        const text = `BO ${bo.handle}, ${size(bo.size)}, placement ${hex(bo.placement)}${owner}`;
        return { kind: "bo-create", handle: bo.handle, size: bo.size, text };
      }
      case DRM_IOCTL_GEM_CLOSE: {
        const { handle } = GEM_CLOSE.read(before);
        return { kind: "bo-close", handle, text: `BO ${handle}` };
      }
      case IOCTL_VM_BIND: {
        const { vmId, execQueueId, numBinds, bind } = VM_BIND.read(before);
        const records = numBinds === 1 ? [bind] : elements(call, "vector_of_binds", VM_BIND_OP);
        const queue = execQueueId === 0 ? "default queue" : `queue ${execQueueId}`;
        const text = `VM ${vmId}, ${queue}, ${counted(records.length, "op")}`;
        return { kind: "bind", vm: vmId, ops: records.map(decodeOp), text };
      }
      default:
        return { kind: "other", text: "" };
    }
  }
}

function decodeOp({ op, flags, addr, range, obj: handle, objOffset: offset, patIndex }: VmBindOp): BindOp {
  const [kind, effect] = kindOf(op, flags);
  return { kind, effect, addr, range, handle, offset, flags, extra: patIndex };
}

function kindOf(op: number, flags: number): [string, BindOp["effect"]] {
  switch (op) {
    case VM_BIND_OP_MAP:
      return [flags & VM_BIND_FLAG_NULL ? "NULL" : "MAP", "map"];
    case VM_BIND_OP_MAP_USERPTR:
      return ["MAP_USERPTR", "map"];
    case VM_BIND_OP_UNMAP:
      return ["UNMAP", "unmap"];
    case VM_BIND_OP_UNMAP_ALL:
      return ["UNMAP_ALL", "unmap-object"];
    case VM_BIND_OP_PREFETCH:
      return ["PREFETCH", "none"];
    default:
      return [`op ${op}`, "none"];
  }
}

function describe({ kind, addr, range, handle, offset, flags, extra }: BindOp): string {
  const readOnly = flags & VM_BIND_FLAG_READONLY ? " READONLY" : "";
  const where = `${kind}${readOnly} ${span(addr, range)}`;
  if (kind === "UNMAP_ALL") return `UNMAP_ALL of BO ${handle}`;
  if (kind === "MAP") return `${where} -> BO ${handle} + ${hex(offset)}, pat ${extra}`;
  return kind === "MAP_USERPTR" ? `${where} -> user ${hex(offset)}` : where;
}

/**
 * Queues of hardware engines are left out of recordings, yet they take ids: make as many as the id of the next bind
 * queue tells.
 */
function makeLeftOutQueues(file: XeFile, counters: object, call: TraceIoctl): void {
  if (call.request !== IOCTL_EXEC_QUEUE_CREATE || call.ret !== 0) return;
  const { vmId, execQueueId } = EXEC_QUEUE_CREATE.read(viewOf(call.argOut));
  // What is not recorded does not count.
  const counted = { ...counters };
  let id = makeQueue(file, vmId);
  while (id > 0 && id < execQueueId) id = makeQueue(file, vmId);
  if (id > 0) file.ioctl(IOCTL_EXEC_QUEUE_DESTROY, EXEC_QUEUE_DESTROY.encode({ execQueueId: id }));
  Object.assign(counters, counted);
}

/** A queue of engine class 0: its id, 0 when it cannot be made. */
function makeQueue(file: XeFile, vmId: number): number {
  const instances = 0x1000;
  const user = new UserMemory();
  user.place(instances, ENGINE_CLASS_INSTANCE.encode({}));
  const arg = EXEC_QUEUE_CREATE.encode({ width: 1, numPlacements: 1, vmId, instances });
  return file.ioctl(IOCTL_EXEC_QUEUE_CREATE, arg, user) === 0
    ? EXEC_QUEUE_CREATE.read(viewOf(arg)).execQueueId
    : 0;
}

/** Xe for the laboratory. */
export const xe: Driver = {
  name: "xe",
  kinds: ["MAP", "NULL", "UNMAP", "UNMAP_ALL"],
  costSchema: COST_SCHEMA,
  closeUnmaps: false,
  describe,
  decoder: () => new XeDecoder(),
  machine(trace) {
    const facts = parseHeader(headerSchema, trace.path, trace.header);
    const platform = [...PLATFORMS.values()].find((p) => p.deviceId === facts.pci_id);
    if (!platform) throw new InputError(trace.path, 1, `header.pci_id: no platform ${hex(facts.pci_id)}`);
    const vram = facts.mem_regions.filter((region) => region.class === "vram");
    const vramBytes = vram.reduce((sum, region) => sum + region.size, 0);
    const device = new XeDevice({
      platform: { ...platform, vaBits: facts.va_bits, vramBytes },
      adoptSyncobjs: true,
      ...(facts.bo_fragmentation && { boFragmentation: facts.bo_fragmentation }),
      ...(facts.quirks && { quirks: facts.quirks }),
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
      before: (call, of) => makeLeftOutQueues(of as XeFile, counters, call),
    };
  },
};
