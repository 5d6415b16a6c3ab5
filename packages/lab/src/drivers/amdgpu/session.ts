/**
 * The amdgpu strategy: radv's PRT mappings, on the GPUs of the recordings.
 *
 * @module
 */

import {
  AmdgpuBo,
  AmdgpuDevice,
  type AmdgpuDeviceOptions,
  type AmdgpuFile,
  type AmdgpuGfx,
  type AmdgpuVm,
  BIND_FORMS,
  createdHandle,
  encodeVmBind,
  IOCTLS,
  openRadv,
  QUIRKS,
  RADV_HEAP_END,
  RADV_SPARSE_BYTES,
  RADV_VIEW_BIT,
  RADV_ZERO_BYTES,
  RadvUmd,
  VA_ALIGNMENT,
  VaManager,
  VM_ID,
} from "@vmbind/amdgpu";
import { DrmError, type IoctlCall, quirkNames, type SparseMemory, type SparseUmd } from "@vmbind/drm";
import { closeCall, DriverSession, type SessionSetup } from "../../strategy/driver-session.ts";
import { DEFAULT_KERNEL, quirksUnder } from "../../strategy/kernel.ts";
import { RefusedError } from "../../strategy/refused.ts";
import type {
  Issue,
  MemoryObject,
  Neighbour,
  Placement,
  Shrinker,
  SparseSession,
  VmAccounts,
  Where,
} from "../../strategy/strategy.ts";
import type { VaRoom } from "../../strategy/va-heap.ts";

/** What radv has made for itself before the first resource, in the recordings: an object of a page, and one behind a hole. */
const OWN_OBJECTS = [
  [0x1000, false],
  [0x14000, true],
  [0x1000, false],
] as const;
/** Bytes of `amdgpu_bo_va_mapping` and of `amdgpu_bo_va` on a 64-bit kernel, added up from their members. */
const MAPPING_BYTES = 88;
const BO_VA_BYTES = 104;

const GFX: Readonly<Record<string, AmdgpuGfx>> = { navi21: "10.3", vega10: "9.0", navi48: "12.0" };

/** Addresses of resources: of their upper range, where they have two. What radv takes is the lower one. */
class RadvRoom implements VaRoom {
  readonly #manager: VaManager;
  readonly #shift: number;

  constructor(manager: VaManager, shift: number) {
    this.#manager = manager;
    this.#shift = shift;
  }

  alloc(bytes: number, alignment: number): number {
    try {
      return this.#manager.alloc(bytes, alignment) + this.#shift;
    } catch (error) {
      if (error instanceof DrmError) throw new RefusedError(error.reason);
      throw error;
    }
  }

  free(va: number, bytes: number): void {
    this.#manager.free(lowerOf(va), bytes);
  }
}

/** The address with the bit of the second view cleared. */
function lowerOf(va: number): number {
  return Math.floor(va / RADV_VIEW_BIT) % 2 === 1 ? va - RADV_VIEW_BIT : va;
}

/** What a session differs in from the one that its driver's own strategy opens. */
export type AmdgpuSetup = SessionSetup<AmdgpuDeviceOptions, RadvUmd>;

type UmdShape = NonNullable<AmdgpuSetup["umd"]>;

class AmdgpuSession extends DriverSession<AmdgpuDevice> {
  readonly file: AmdgpuFile;
  readonly vmId = VM_ID;
  readonly vm: AmdgpuVm;
  readonly umd: SparseUmd;
  readonly heap: VaRoom;
  readonly secondViewOffset: number;
  readonly ioctls: typeof IOCTLS = IOCTLS;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly vmBind: SparseSession["vmBind"] = {
    forms: BIND_FORMS,
    encode: (ops) => encodeVmBind(ops),
  };
  readonly shrinker: Shrinker;
  readonly accounts: VmAccounts;
  readonly #own: RadvUmd;
  readonly #shape: UmdShape;
  readonly #gfx: AmdgpuGfx;
  readonly #manager: VaManager;

  constructor(device: AmdgpuDevice, gfx: AmdgpuGfx, shape: UmdShape) {
    super(device);
    this.#shape = shape;
    this.#gfx = gfx;
    this.facts = {
      gfx,
      va_bits: 48,
      va_alignment: VA_ALIGNMENT,
      quirks: quirkNames(device.options.quirks),
    };
    this.file = device.open();
    this.vm = this.file.space;
    this.#own = new RadvUmd({ gfx });
    this.umd = shape(this.#own);
    this.secondViewOffset = this.#own.hasTwoRanges ? -RADV_VIEW_BIT : 0;
    this.#manager = new VaManager();
    const holes: [va: number, bytes: number][] = [];
    for (const [bytes, goes] of OWN_OBJECTS) {
      const va = this.#manager.alloc(bytes);
      if (goes) holes.push([va, bytes]);
    }
    for (const [va, bytes] of holes) this.#manager.free(va, bytes);
    this.heap = new RadvRoom(this.#manager, -this.secondViewOffset);
    this.shrinker = {
      evict: (gem) => {
        if (gem instanceof AmdgpuBo) device.moveBo(gem, "gtt", true);
      },
      submit: () => this.vm.submit(),
    };
    this.accounts = accountsOf(device, this.vm);
  }

  /** A file has one VM, so a neighbour is always in another one. */
  neighbour(_where: Where): Neighbour {
    const file = this.device.open();
    // Out of the way of whatever the other one has.
    const { umd } = openRadv(file, { gfx: this.#gfx, zeroVa: RADV_HEAP_END - RADV_ZERO_BYTES });
    return { file, vm: file.space, umd: this.#shape(umd) };
  }

  placement(_bytes: number, what: "resource" | "memory"): Placement {
    return { alignment: RADV_SPARSE_BYTES, guardBytes: what === "memory" ? this.#own.memoryGuardBytes : 0 };
  }

  override beforeFirstResource(issue: Issue): void {
    if (!this.#own.hasTwoRanges) return;
    const create = this.#own.zeroCall();
    issue(create);
    this.#own.zeroHandle = createdHandle(create);
    this.roles.set(this.#own.zeroHandle, "zero object");
    issue(this.#own.zeroMapCall(this.#manager.alloc(RADV_ZERO_BYTES)));
  }

  allocate(object: MemoryObject, issue: Issue): void {
    const create = this.#own.memoryCall(object.size);
    issue(create);
    object.handle = createdHandle(create);
    // Memory has one range.
    object.va = lowerOf(object.va);
    for (const call of this.#own.mapMemory(object.handle, object.va, object.size)) issue(call);
  }

  free({ handle, va, size }: MemoryObject, issue: Issue): boolean {
    for (const call of this.#own.unmapMemory(handle, va, size)) issue(call);
    issue(closeCall(handle));
    return true;
  }

  /** The submission of whatever job is about to run. */
  beforeAccess(): void {
    this.vm.submit();
  }

  another(): SparseSession {
    return new AmdgpuSession(this.device, this.#gfx, this.#shape);
  }

  bindPlainly(va: number, size: number, memory: SparseMemory | null): IoctlCall {
    return this.#own.plainCall(va, size, memory);
  }
}

function accountsOf(device: AmdgpuDevice, vm: AmdgpuVm): VmAccounts {
  const { space } = vm;
  return {
    get mappings() {
      return space.mappings.size;
    },
    mappingBytes: MAPPING_BYTES,
    pairBytes: BO_VA_BYTES,
    // The handle holds the object; so closing it always unmaps.
    pairsHold: false,
    // The file alone holds its VM.
    refs: 1,
    get externals() {
      return [...space.boVas()].filter(({ isAlwaysValid }) => !isAlwaysValid).length;
    },
    objects: () => device.gems.values(),
    pairOf: (gem) => (gem instanceof AmdgpuBo ? space.boVaOf(gem) : undefined),
    isExternal: (gem) => gem instanceof AmdgpuBo && !gem.isAlwaysValid,
    locked: () => [
      null,
      ...[...space.boVas()].flatMap(({ bo, isAlwaysValid }) => (isAlwaysValid || bo === null ? [] : [bo])),
    ],
  };
}

/**
 * @param device - one of the strategy's devices
 * @param setup - what differs from radv's own session
 * @returns a fresh session on it
 */
export function openRadvSession(device: string, setup: AmdgpuSetup = {}): SparseSession {
  const gfx = GFX[device];
  if (gfx === undefined)
    throw new RangeError(`no device ${device}; there are ${Object.keys(GFX).join(", ")}`);
  const { kernel = DEFAULT_KERNEL, options, umd = (own) => own } = setup;
  const quirks = quirksUnder(QUIRKS, kernel, options?.quirks);
  return new AmdgpuSession(new AmdgpuDevice({ gfx, ...options, quirks }), gfx, umd);
}
