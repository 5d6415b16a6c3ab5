/**
 * What the sessions of all drivers have alike: costs and memory are the device's, most drivers keep pages as they are, and a user-mode
 * driver waits for its own jobs in ways that no VM_BIND shows. A driver's session says what is its own.
 *
 * @module
 */

import {
  type CostSchema,
  type DeviceChoices,
  DRM_IOCTL_GEM_CLOSE,
  GEM_CLOSE,
  type GemObject,
  type IoctlCall,
  type QuirkOptions,
  type QuirkProfile,
  type SparseMemory,
  type SparseUmd,
} from "@vmbind/drm";
import type { PhysicalMemory } from "@vmbind/mmu";
import type {
  CallSync,
  Issue,
  MemoryObject,
  Neighbour,
  Placement,
  ReadArray,
  SessionCounters,
  SessionFile,
  SessionVm,
  Shrinker,
  SparseSession,
  VmAccounts,
  Where,
} from "./strategy.ts";
import type { VaRoom } from "./va-heap.ts";

/** What a session differs in from the one that its driver's own strategy opens. */
export interface SessionSetup<Options extends QuirkOptions, Umd> {
  /** Which defects the driver has; `DEFAULT_KERNEL` unless told. */
  readonly kernel?: QuirkProfile | undefined;
  /** What is chosen about the device beyond what Mesa's driver needs; `quirks` come on top of the kernel's. */
  readonly options?: DeviceChoices<Options>;
  /**
   * Another user-mode driver.
   *
   * @param own - Mesa's, for one VM; made for the session's VM and for each neighbour
   */
  readonly umd?: (own: Umd) => SparseUmd;
}

/** What a session asks of its device. */
interface SessionDevice {
  readonly counters: Readonly<SessionCounters>;
  readonly costSchema: CostSchema;
  readonly memory: PhysicalMemory;
}

/** A session, as far as drivers do not differ. */
export abstract class DriverSession<Device extends SessionDevice> implements SparseSession {
  protected readonly device: Device;
  readonly mirrorOffset: number = 0;
  readonly roles: Map<number, string> = new Map();
  abstract readonly file: SessionFile;
  abstract readonly vmId: number;
  abstract readonly vm: SessionVm;
  abstract readonly accounts: VmAccounts;
  abstract readonly umd: SparseUmd;
  abstract readonly heap: VaRoom;
  abstract readonly ioctls: SparseSession["ioctls"];
  abstract readonly shrinker: Shrinker | null;
  abstract readonly facts: Readonly<Record<string, unknown>>;
  abstract readonly vmBind: SparseSession["vmBind"];

  constructor(device: Device) {
    this.device = device;
  }

  get counters(): Readonly<SessionCounters> {
    return this.device.counters;
  }

  get costSchema(): CostSchema {
    return this.device.costSchema;
  }

  get memory(): PhysicalMemory {
    return this.device.memory;
  }

  abstract neighbour(where: Where): Neighbour;
  abstract placement(bytes: number, what: "resource" | "memory"): Placement;
  abstract allocate(object: MemoryObject, issue: Issue): void;
  abstract free(object: MemoryObject, issue: Issue): boolean;
  abstract another(): SparseSession;
  abstract bindPlainly(va: number, size: number, memory: SparseMemory | null): IoctlCall;

  kernelRole(_gem: GemObject): string {
    return "driver page";
  }

  /** What stands behind sparse ranges needs no object, or came with the device. */
  beforeFirstResource(_issue: Issue): void {}

  /** A user-mode driver submits an empty job and waits for it. */
  waitIdle(): IoctlCall[] {
    return [];
  }

  syncs(_arrays: readonly ReadArray[]): CallSync[] {
    return [];
  }

  mode(_call: IoctlCall): string {
    return "sync";
  }
}

/** Close a handle. */
export function closeCall(handle: number): IoctlCall {
  const arg = GEM_CLOSE.encode({ handle });
  return { name: "GEM_CLOSE", request: DRM_IOCTL_GEM_CLOSE, arg, buffers: [] };
}
