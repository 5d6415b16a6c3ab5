/**
 * A process that does random things with the driver, legal ones and others. What it stores is its tag, so that a byte
 * tells whose it is.
 */
import { DrmError, EINVAL, ENOENT, ENOMEM, issue } from "@vmbind/drm";
import { expect } from "vitest";
import {
  type AsahiDevice,
  type AsahiFile,
  type AsahiVm,
  BIND_OBJECT_OP_BIND,
  BIND_OBJECT_OP_UNBIND,
  BIND_OBJECT_USAGE_TIMESTAMPS,
  BIND_READ,
  BIND_SINGLE_PAGE,
  BIND_UNBIND,
  BIND_WRITE,
  DUMMY_PAGE_VA,
  GEM_VM_PRIVATE,
  type GemBindOp,
  PAGE_BYTES,
  vmBindCall,
} from "../src/index.ts";

export const KERNEL = { kernelStart: 0x77_ffff_8000, kernelEnd: 0x7f_ffff_8000, vmId: 0, pad: 0 };
/** Operations meet around a 64 GiB, hence also a 32 MiB boundary. */
const PAGES = 160;
const BASE = 0x30_0000_0000 - 60 * PAGE_BYTES;
const BO_PAGES = [1, 2, 7, 32, 160];
const RW = BIND_READ | BIND_WRITE;
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
  readonly device: AsahiDevice;
  readonly tag: number;
  readonly #random: Random;
  readonly #vmsMax: number;
  #objects: number[] = [];
  file: AsahiFile;

  constructor(device: AsahiDevice, random: Random, tag: number, vmsMax = 3) {
    this.device = device;
    this.tag = tag;
    this.#random = random;
    this.#vmsMax = vmsMax;
    this.file = device.open();
  }

  vms(): [number, AsahiVm][] {
    return [...this.file.vms()];
  }

  close(): void {
    this.file.close();
    this.#objects = [];
  }

  /** One random operation. */
  step(): void {
    const random = this.#random;
    const kind = random.below(100);
    const vms = this.vms();
    const [vmId, vm] = random.pick(vms) ?? [0, null];
    if (vm === null || (kind < 3 && vms.length < this.#vmsMax))
      this.#try(() => this.file.vmCreate(KERNEL), [ENOMEM]);
    else if (kind < 65) this.#bind(vmId);
    else if (kind < 77) this.#createBo(vmId);
    else if (kind < 83) this.#try(() => this.file.gemClose(random.below(10)), [EINVAL]);
    else if (kind < 84) this.#try(() => this.file.vmDestroy({ vmId: random.below(20) }), [ENOENT]);
    else if (kind < 86) this.#bindObject();
    else if (kind < 99) this.#touch(vm);
    else if (random.below(20) === 0) {
      this.close();
      this.file = this.device.open();
    }
  }

  #try(call: () => unknown, allowed: readonly number[]): void {
    try {
      call();
    } catch (error) {
      if (!(error instanceof DrmError)) throw error;
      this.#refused(error, allowed);
    }
  }

  #refused({ errno, reason }: DrmError, allowed: readonly number[]): void {
    if (!allowed.includes(errno)) expect([errno, reason]).toEqual([0, ""]);
  }

  #createBo(vmId: number): void {
    const random = this.#random;
    const size = (random.pick(BO_PAGES) as number) * PAGE_BYTES;
    if ([...this.file.bos()].length >= 8) this.#try(() => this.file.gemClose(1 + random.below(8)), [EINVAL]);
    else {
      const owner = random.below(3) === 0 ? { flags: GEM_VM_PRIVATE, vmId } : { flags: 0, vmId: 0 };
      this.#try(() => this.file.gemCreate({ size, ...owner }), [ENOMEM]);
    }
  }

  #bindObject(): void {
    const random = this.#random;
    const all = { pad: 0, vmId: 0, flags: 0, handle: 0, offset: 0, range: 0, objectHandle: 0 };
    const id = this.#objects.pop();
    if (id !== undefined && random.below(2) === 0) {
      this.#try(
        () => this.file.gemBindObject({ ...all, op: BIND_OBJECT_OP_UNBIND, objectHandle: id }),
        [ENOENT],
      );
      return;
    }
    if (id !== undefined) this.#objects.push(id);
    if (this.#objects.length >= 3) return;
    const flags = BIND_OBJECT_USAGE_TIMESTAMPS;
    const args = { ...all, op: BIND_OBJECT_OP_BIND, flags, handle: 1 + random.below(8), range: PAGE_BYTES };
    this.#try(() => this.#objects.push(this.file.gemBindObject(args)), [ENOENT, ENOMEM]);
  }

  #bind(vmId: number): void {
    const ops = Array.from({ length: 1 + this.#random.below(4) }, () => this.#op());
    const ret = issue(this.file, vmBindCall(vmId, ops));
    if (ret !== 0) this.#refused(this.file.lastError as DrmError, [EINVAL, ENOENT, ENOMEM]);
  }

  #op(): GemBindOp {
    const random = this.#random;
    const at = random.below(PAGES);
    const pages = 1 + random.below(random.below(3) === 0 ? PAGES - at : Math.min(16, PAGES - at));
    const op = {
      flags: BIND_UNBIND,
      handle: 0,
      offset: 0,
      range: pages * PAGE_BYTES,
      addr: BASE + at * PAGE_BYTES,
    };
    if (random.below(4) === 0) return op;
    op.flags = random.pick([BIND_READ, BIND_WRITE, RW, RW]) as number;
    // A handle out of the air: one's own, somebody else's number, or nobody's.
    if (random.below(16) === 0) return { ...op, handle: 1 + random.below(12) };
    const [handle, bo] = random.pick([...this.file.bos()]) ?? [0, null];
    if (bo === null) return op;
    const size = bo.size / PAGE_BYTES;
    const offset = random.below(size);
    op.handle = handle;
    op.offset = offset * PAGE_BYTES;
    if (random.below(3) === 0) op.flags |= BIND_SINGLE_PAGE;
    else op.range = Math.min(pages, size - offset) * PAGE_BYTES;
    return op;
  }

  /** Stores the tag somewhere in a VM. */
  #touch(vm: AsahiVm): void {
    const { addressSpace } = vm;
    const va = this.#random.below(16) === 0 ? DUMMY_PAGE_VA : BASE + this.#random.below(PAGES) * PAGE_BYTES;
    const { kind, writable } = addressSpace.translate(va);
    if (kind === "page" && writable) addressSpace.store8(va + this.#random.below(LOOK_BYTES), this.tag);
  }

  /** Stores the tag everywhere. */
  flood(): void {
    for (const va of this.#addresses()) {
      for (const [, { addressSpace }] of this.vms()) {
        const { kind, writable } = addressSpace.translate(va);
        if (kind === "page" && writable) addressSpace.store8(va + 1, this.tag);
      }
    }
  }

  /** What the GPU sees of every page that is mapped and readable. */
  *seen(): Generator<{ va: number; pa: number; bytes: Uint8Array }> {
    for (const [, { addressSpace }] of this.vms()) {
      for (const va of this.#addresses()) {
        const { kind, readable, pa } = addressSpace.translate(va);
        if (kind === "page" && readable) yield { va, pa, bytes: addressSpace.load(va, LOOK_BYTES) };
      }
    }
  }

  *#addresses(): Generator<number> {
    for (let i = 0; i < PAGES; i++) yield BASE + i * PAGE_BYTES;
    yield DUMMY_PAGE_VA;
  }
}
