/**
 * A process that does random things with the driver, legal ones and others. What it stores is its tag, so that a byte
 * tells whose it is.
 */
import {
  DRM_IOCTL_GEM_CLOSE,
  DrmError,
  EBUSY,
  EINVAL,
  ENOBUFS,
  ENOENT,
  ENOMEM,
  UserMemory,
} from "@vmbind/drm";
import { expect } from "vitest";
import * as xe from "../src/index.ts";
import { bind, GIB, MIB, map, nul, type Op, prefetch, unmap, unmapAll } from "./support.ts";

const PAGE = 4096;
/** Operations meet around a 1 GiB boundary. */
const PAGES = 1100;
const BASE = 8 * GIB - 530 * PAGE;
const BO_BYTES = [PAGE, 3 * PAGE, 0x1_0000, 0x3_0000, 2 * MIB, 2 * MIB + 0x1_0000];
const USER = 0x5000_0000_0000;
/** Bytes at the start of a page that stores go to and scans look at. */
const LOOK_BYTES = 16;

/** Numbers from a seed: xorshift32. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 1;
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) % limit;
  }

  pick<T>(list: readonly T[]): T | undefined {
    return list[this.below(list.length || 1)];
  }
}

export class Process {
  readonly device: xe.XeDevice;
  readonly tag: number;
  readonly #random: Random;
  file: xe.XeFile;

  constructor(device: xe.XeDevice, random: Random, tag: number) {
    this.device = device;
    this.tag = tag;
    this.#random = random;
    this.file = device.open();
  }

  vms(): [number, xe.XeVm][] {
    return [...this.file.vms()];
  }

  close(): void {
    this.file.close();
  }

  /** One random operation. */
  step(): void {
    const random = this.#random;
    const kind = random.below(100);
    const vms = this.vms();
    const [vmId, vm] = random.pick(vms) ?? [0, null];
    if (vm === null || (kind < 2 && vms.length < 4)) this.#createVm();
    else if (kind < 58) this.#bind(vmId, vm);
    else if (kind < 68) this.#fault(vm);
    else if (kind < 78) this.#createBo(vmId);
    else if (kind < 84) this.#closeBo();
    else if (kind < 85) {
      this.#ioctl(xe.IOCTL_VM_DESTROY, xe.VM_DESTROY.encode({ vmId: 1 + random.below(4) }), [ENOENT, EBUSY]);
    } else if (kind < 87) this.#queue(vmId);
    else if (kind < 99) this.#touch(vm);
    else if (random.below(20) === 0) {
      this.close();
      this.file = this.device.open();
    }
  }

  #ioctl(request: number, arg: Uint8Array, allowed: readonly number[], user = new UserMemory()): void {
    if (this.file.ioctl(request, arg, user) !== 0) this.#refused(this.file.lastError as DrmError, allowed);
  }

  #refused({ errno, reason }: DrmError, allowed: readonly number[]): void {
    if (!allowed.includes(errno)) expect([errno, reason]).toEqual([0, ""]);
  }

  #createVm(): void {
    const { platform } = this.device;
    const kinds = [
      0,
      xe.VM_CREATE_FLAG_SCRATCH_PAGE,
      xe.VM_CREATE_FLAG_SCRATCH_PAGE | xe.VM_CREATE_FLAG_LR_MODE,
    ];
    if (platform.usm) kinds.push(xe.VM_CREATE_FLAG_LR_MODE | xe.VM_CREATE_FLAG_FAULT_MODE);
    const flags = this.#random.pick(kinds) as number;
    this.#ioctl(xe.IOCTL_VM_CREATE, xe.VM_CREATE.encode({ flags }), [ENOMEM]);
  }

  #createBo(vmId: number): void {
    const random = this.#random;
    if ([...this.file.bos()].length >= 8) {
      this.#closeBo();
      return;
    }
    const size = random.pick(BO_BYTES) as number;
    const vram = this.device.vramBytes > 0 && size % 0x1_0000 === 0 && random.below(2) === 0;
    const create = xe.GEM_CREATE.encode({
      size,
      placement: vram ? xe.PLACEMENT_VRAM : xe.PLACEMENT_SYSTEM,
      cpuCaching: vram ? xe.GEM_CPU_CACHING_WC : xe.GEM_CPU_CACHING_WB,
      flags: random.below(2) === 0 ? xe.GEM_CREATE_FLAG_DEFER_BACKING : 0,
      vmId: random.below(3) === 0 ? vmId : 0,
    });
    this.#ioctl(xe.IOCTL_GEM_CREATE, create, [ENOMEM]);
  }

  #closeBo(): void {
    this.#ioctl(DRM_IOCTL_GEM_CLOSE, xe.GEM_CLOSE.encode({ handle: 1 + this.#random.below(9) }), [EINVAL]);
  }

  #queue(vmId: number): void {
    const random = this.#random;
    if (random.below(2) === 0 || this.file.queues.size > 3) {
      const destroy = xe.EXEC_QUEUE_DESTROY.encode({ execQueueId: 1 + random.below(4) });
      this.#ioctl(xe.IOCTL_EXEC_QUEUE_DESTROY, destroy, [ENOENT]);
      return;
    }
    const user = new UserMemory();
    const engineClass = xe.ENGINE_CLASS_VM_BIND;
    user.place(0x1000, xe.ENGINE_CLASS_INSTANCE.encode({ engineClass }));
    const create = xe.EXEC_QUEUE_CREATE.encode({ width: 1, numPlacements: 1, vmId, instances: 0x1000 });
    this.#ioctl(xe.IOCTL_EXEC_QUEUE_CREATE, create, [ENOMEM], user);
  }

  #bind(vmId: number, vm: xe.XeVm): void {
    const ops = Array.from({ length: 1 + this.#random.below(4) }, () => this.#op(vm));
    if (bind(this.file, ops, { vmId }) !== 0) {
      this.#refused(this.file.lastError as DrmError, [EINVAL, ENOENT, ENOMEM, ENOBUFS]);
    }
  }

  #op(vm: xe.XeVm): Op {
    const random = this.#random;
    const { platform } = vm;
    const kind = random.below(10);
    // Mostly on the 64 KiB grid, which VRAM needs.
    const unit = random.below(3) === 0 ? 1 : 16;
    const at = random.below(PAGES / unit) * unit;
    const most = PAGES - at;
    const pages =
      random.below(3) === 0 ? 1 + random.below(most) : Math.min(unit * (1 + random.below(20)), most);
    const addr = BASE - 14 * PAGE + at * PAGE;
    const range = pages * PAGE;
    const immediate = vm.faultMode && random.below(2) === 0 ? xe.VM_BIND_FLAG_IMMEDIATE : 0;
    const readOnly = random.below(6) === 0 ? xe.VM_BIND_FLAG_READONLY : 0;
    if (kind < 2) return unmap(addr, range);
    if (kind < 4) return { ...nul(addr, range, immediate | readOnly), patIndex: platform.patWb };
    if (kind === 4) {
      const from = USER + random.below(16) * PAGE;
      const op = xe.VM_BIND_OP_MAP_USERPTR;
      const bytes = Math.min(range, 16 * PAGE);
      return { op, flags: immediate, addr, range: bytes, objOffset: from, patIndex: platform.patWb };
    }
    if (kind === 5 && random.below(2) === 0) return prefetch(addr, range);
    // A handle out of the air: one's own, somebody else's number, or nobody's.
    if (random.below(16) === 0) return map(addr, PAGE, 1 + random.below(12), 0, platform.patWb);
    const [handle, bo] = random.pick([...this.file.bos()]) ?? [0, null];
    if (bo === null) return unmap(addr, range);
    if (kind === 5) return { ...unmapAll(handle), patIndex: platform.patWb };
    const grain = bo.vram ? 0x1_0000 : PAGE;
    const offset = random.below(bo.size / grain) * grain;
    const bytes = Math.max(grain, Math.floor(Math.min(range, bo.size - offset) / grain) * grain);
    return map(addr, bytes, handle, offset, platform.patWb, immediate | readOnly);
  }

  /** The GPU touches what a fault-mode VM has not bound yet. */
  #fault(vm: xe.XeVm): void {
    if (!vm.faultMode) return;
    try {
      vm.fault(BASE + this.#random.below(PAGES) * PAGE);
    } catch (error) {
      if (!(error instanceof DrmError)) throw error;
      this.#refused(error, [EINVAL, ENOMEM]);
    }
  }

  /** Stores the tag somewhere in a VM. */
  #touch({ addressSpace }: xe.XeVm): void {
    const va = BASE + this.#random.below(PAGES) * PAGE;
    const { kind, writable } = addressSpace.translate(va);
    if (kind !== "fault" && writable) addressSpace.store8(va + this.#random.below(LOOK_BYTES), this.tag);
  }

  /** Stores the tag everywhere. */
  flood(): void {
    for (const [, { addressSpace }] of this.vms()) {
      for (let va = BASE; va < BASE + PAGES * PAGE; va += PAGE) {
        const { kind, writable } = addressSpace.translate(va);
        if (kind !== "fault" && writable) addressSpace.store8(va + 1, this.tag);
      }
    }
  }

  /** What the GPU sees everywhere, null pages included: their address is -1. */
  *seen(): Generator<{ va: number; pa: number; bytes: Uint8Array }> {
    for (const [, { addressSpace }] of this.vms()) {
      for (let va = BASE; va < BASE + PAGES * PAGE; va += PAGE) {
        const { kind, pa } = addressSpace.translate(va);
        if (kind === "fault") continue;
        yield { va, pa: kind === "null" ? -1 : pa, bytes: addressSpace.load(va, LOOK_BYTES) };
      }
    }
  }
}
