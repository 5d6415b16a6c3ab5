/**
 * The msm strategy: turnip's MAP_NULL, on the GPU of the recordings.
 *
 * @module
 */

import { hex, type IoctlCall, quirkNames, type SparseMemory, type SparseUmd, viewOf } from "@vmbind/drm";
import {
  BIND_FORMS,
  BO_NO_SHARE,
  BO_WC,
  encodeVmBind,
  GEM_NEW,
  IOCTL_GEM_NEW,
  IOCTL_SET_PARAM,
  IOCTL_SUBMITQUEUE_NEW,
  IOCTLS,
  MsmDevice,
  type MsmDeviceOptions,
  type MsmFile,
  type MsmVm,
  PARAM,
  PARAM_ARG,
  PIPE_3D0,
  QUIRKS,
  SUBMITQUEUE_ALLOW_PREEMPT,
  SUBMITQUEUE_NEW,
  SUBMITQUEUE_VM_BIND,
  SYNCOBJ,
  TURNIP_BLOCK_BYTES,
  TurnipUmd,
  VA_START,
  VM_BIND,
  VM_ID,
} from "@vmbind/msm";
import { mustIssue } from "../../strategy/calls.ts";
import { closeCall, DriverSession, type SessionSetup } from "../../strategy/driver-session.ts";
import { gpuvmAccounts } from "../../strategy/gpuvm-accounts.ts";
import { DEFAULT_KERNEL, quirksUnder } from "../../strategy/kernel.ts";
import type {
  CallSync,
  Issue,
  MemoryObject,
  Neighbour,
  Placement,
  ReadArray,
  SparseSession,
} from "../../strategy/strategy.ts";
import { VaHeap } from "../../strategy/va-heap.ts";

/** Above what turnip's own objects take of its heap in the recordings. */
const HEAP_START = VA_START + 0x26000;
const HEAP_END = 2 ** 48;
/** The timeline of the queue, and the syncobj behind the client's VkFence. */
const TIMELINE = 2;
const FENCE = 3;

/** What a session differs in from the one that its driver's own strategy opens. */
export type MsmSetup = SessionSetup<MsmDeviceOptions, TurnipUmd>;

type UmdShape = NonNullable<MsmSetup["umd"]>;

class MsmSession extends DriverSession<MsmDevice> {
  readonly file: MsmFile;
  readonly vmId = VM_ID;
  readonly vm: MsmVm;
  readonly umd: SparseUmd;
  readonly heap: VaHeap = new VaHeap(HEAP_START, HEAP_END, "bottom");
  readonly ioctls: typeof IOCTLS = IOCTLS;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly vmBind: SparseSession["vmBind"] = {
    forms: BIND_FORMS,
    encode: (ops) => [encodeVmBind(ops)],
  };
  readonly shrinker: SparseSession["shrinker"];
  readonly #own: TurnipUmd;
  readonly #shape: UmdShape;

  constructor(device: MsmDevice, shape: UmdShape) {
    super(device);
    this.#shape = shape;
    const { vaBits, prr, params, quirks } = device.options;
    this.facts = {
      driver_version: "1.13",
      chip_id: hex(params.chipId),
      page_size: TURNIP_BLOCK_BYTES,
      va_start: hex(VA_START),
      va_size: hex(2 ** vaBits - VA_START),
      has_prr: prr,
      quirks: quirkNames(quirks),
    };
    const { file, vm, umd } = openFile(device);
    this.file = file;
    this.vm = vm;
    this.#own = umd;
    this.umd = shape(umd);
    this.shrinker = {
      evict(gem) {
        for (const [, bo] of file.bos()) if (bo === gem) device.evict(bo);
      },
      submit: () => vm.validate(),
    };
  }

  get accounts(): SparseSession["accounts"] {
    return gpuvmAccounts(this.vm.gpuvm, this.file);
  }

  /** A file has one VM, so a neighbour is always in another one. */
  neighbour(): Neighbour {
    const { file, vm, umd } = openFile(this.device);
    return { file, vm, umd: this.#shape(umd) };
  }

  placement(): Placement {
    return { alignment: TURNIP_BLOCK_BYTES, guardBytes: 0 };
  }

  allocate(object: MemoryObject, issue: Issue): void {
    const arg = GEM_NEW.encode({ size: object.size, flags: BO_NO_SHARE | BO_WC });
    issue({ name: "MSM_GEM_NEW", request: IOCTL_GEM_NEW, arg, buffers: [] });
    object.handle = GEM_NEW.read(viewOf(arg)).handle;
    issue(this.#own.mapObject(object.va, object.size, object.handle));
  }

  free({ handle, va, size }: MemoryObject, issue: Issue): boolean {
    issue(this.#own.unmapObject(va, size));
    issue(closeCall(handle));
    return true;
  }

  another(): SparseSession {
    return new MsmSession(this.device, this.#shape);
  }

  bindPlainly(va: number, size: number, memory: SparseMemory | null): IoctlCall {
    if (memory === null) return this.#own.unmapObject(va, size);
    return this.#own.mapObject(va, size, memory.handle, 0, memory.offset);
  }

  override syncs(arrays: readonly ReadArray[]): CallSync[] {
    return arrays
      .filter(({ array }) => array.element === SYNCOBJ)
      .flatMap(({ field, count, data }) =>
        Array.from({ length: count }, (_, i): CallSync => {
          const { handle, point } = SYNCOBJ.read(viewOf(data), i * SYNCOBJ.size);
          const does = field === "out_syncobjs" ? "signal" : "wait";
          return { op: -1, does, type: point === 0 ? "binary" : "timeline", handle, point };
        }),
      );
  }

  override mode(call: IoctlCall): string {
    return `queue-${VM_BIND.read(viewOf(call.arg)).queueId}`;
  }
}

/** A logical device of turnip: VM_BIND comes first, then queues for its own binds, for submits and for vkQueueBindSparse. */
function openFile(device: MsmDevice): { file: MsmFile; vm: MsmVm; umd: TurnipUmd } {
  const file = device.open();
  const enable = { pipe: PIPE_3D0, param: PARAM.enVmBind, value: 1 };
  send(file, "MSM_SET_PARAM", IOCTL_SET_PARAM, PARAM_ARG.encode(enable));
  for (const queue of [
    { flags: SUBMITQUEUE_VM_BIND },
    { flags: SUBMITQUEUE_ALLOW_PREEMPT, prio: 2 },
    { flags: SUBMITQUEUE_VM_BIND },
  ]) {
    send(file, "MSM_SUBMITQUEUE_NEW", IOCTL_SUBMITQUEUE_NEW, SUBMITQUEUE_NEW.encode(queue));
  }
  return { file, vm: file.needVm(), umd: new TurnipUmd({ fence: FENCE, timeline: TIMELINE }) };
}

function send(file: MsmFile, name: string, request: number, arg: Uint8Array): void {
  mustIssue(file, { name, request, arg, buffers: [] });
}

/**
 * @param setup - what differs from turnip's own session
 * @returns a fresh session on an Adreno 750 as the recordings had it
 */
export function openTurnip(setup: MsmSetup = {}): SparseSession {
  const { kernel = DEFAULT_KERNEL, options, umd = (own) => own } = setup;
  const quirks = quirksUnder(QUIRKS, kernel, options?.quirks);
  return new MsmSession(new MsmDevice({ preemption: false, adoptSyncobjs: true, ...options, quirks }), umd);
}
