/**
 * A process that does random things with the driver, legal ones and others: maps, cuts, asynchronous calls behind
 * gates, objects and VMs that come and go, loads and stores of the GPU, eviction. What it stores is its tag, so that
 * a byte tells whose it is.
 */
import { EBUSY, EINVAL, ENOENT, ENOMEM } from "@vmbind/drm";
import { expect } from "vitest";
import {
  BO_CREATE,
  type Fence,
  IOCTL_BO_CREATE,
  IOCTL_VM_CREATE,
  MAP_NOEXEC,
  MAP_READONLY,
  MAP_SPARSE,
  OP_SYNC_ONLY,
  OP_UNMAP,
  type PanthorBo,
  type PanthorDevice,
  type PanthorFile,
  type PanthorVm,
  SYNC_OP_SIGNAL,
  SYNC_OP_TIMELINE,
  VM_CREATE,
} from "../src/index.ts";
import { bind, closeBo, destroyVm, type TestOp } from "./support.ts";

const PAGE = 0x1000;
const CHUNK = 512;
/** Operations meet in three 2 MiB chunks around a 1 GiB boundary. */
const BASE = 0x40000000 - CHUNK * PAGE;
const PAGES = 3 * CHUNK;
const BO_PAGES = [1, 3, 16, CHUNK, CHUNK + 5];
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
  readonly device: PanthorDevice;
  readonly tag: number;
  readonly #random: Random;
  readonly #gates: Fence[] = [];
  #gate = 0;
  #timeline = 0;
  #point = 0;
  file: PanthorFile;

  constructor(device: PanthorDevice, random: Random, tag: number) {
    this.device = device;
    this.tag = tag;
    this.#random = random;
    this.file = this.#open();
  }

  #open(): PanthorFile {
    const file = this.device.open();
    this.#gate = file.createSyncobj();
    this.#timeline = file.createSyncobj();
    this.#point = 0;
    return file;
  }

  vms(): [number, PanthorVm][] {
    return [...this.file.vms()];
  }

  /** Let everything that waits run. */
  quiesce(): void {
    for (const gate of this.#gates.splice(0)) gate.signal();
  }

  /** The end, also in the middle of things: waiting jobs run when their gates open. */
  close(): void {
    this.file.close();
    this.quiesce();
  }

  /** One random operation. */
  step(): void {
    const random = this.#random;
    const kind = random.below(100);
    const [vmId, vm] = random.pick(this.vms()) ?? [0, null];
    if (vm === null || kind < 1) this.#createVm();
    else if (kind < 45) this.#bind(vmId, false);
    else if (kind < 60) this.#bind(vmId, true);
    else if (kind < 68) this.#openGate();
    else if (kind < 78) this.#createBo(vmId);
    else if (kind < 84) this.#closeBo();
    else if (kind < 85) this.#result(destroyVm(this.file, vmId), []);
    else if (kind < 88) this.#evict();
    else if (kind < 91) this.#validate(vm);
    else if (kind < 99) this.#touch(vm);
    else if (random.below(20) === 0) {
      this.close();
      this.file = this.#open();
    } else this.quiesce();
  }

  #result(ret: number, allowed: readonly number[]): void {
    if (ret === 0) return;
    if (!allowed.includes(-ret)) expect([ret, this.file.lastError?.reason]).toEqual([0, undefined]);
  }

  #createVm(): void {
    this.#result(this.file.ioctl(IOCTL_VM_CREATE, VM_CREATE.encode({})), [ENOMEM, EBUSY]);
  }

  #createBo(vmId: number): void {
    const bos = [...this.file.bos()];
    if (bos.length >= 8) {
      this.#closeBo();
      return;
    }
    const size = (this.#random.pick(BO_PAGES) as number) * PAGE;
    const exclusiveVmId = this.#random.below(3) === 0 ? vmId : 0;
    this.#result(this.file.ioctl(IOCTL_BO_CREATE, BO_CREATE.encode({ size, exclusiveVmId })), [ENOMEM]);
  }

  #closeBo(): void {
    this.#result(closeBo(this.file, this.#random.below(10)), [EINVAL]);
  }

  #bind(vmId: number, async: boolean): void {
    const random = this.#random;
    const ops = Array.from({ length: 1 + random.below(3) }, () => this.#op());
    if (async) {
      const first = ops[0] as TestOp;
      const last = ops.at(-1) as TestOp;
      first.syncs = [...(first.syncs ?? []), ...this.#waits()];
      const timelineValue = ++this.#point;
      const flags = (SYNC_OP_SIGNAL | SYNC_OP_TIMELINE) >>> 0;
      last.syncs = [...(last.syncs ?? []), { flags, handle: this.#timeline, timelineValue }];
      if (random.below(8) === 0)
        ops.push({ flags: OP_SYNC_ONLY, syncs: [{ flags: SYNC_OP_SIGNAL, handle: this.#gate }] });
    }
    this.#result(bind({ file: this.file, vmId }, ops, { async }).ret, [EINVAL, ENOMEM, ENOENT]);
  }

  #waits(): NonNullable<TestOp["syncs"]> {
    const kind = this.#random.below(3);
    if (kind === 0 && this.#gates.length < 4) {
      this.#gates.push(this.file.attachFence(this.#gate));
      return [{ handle: this.#gate }];
    }
    // A point of the past, or one that nobody will ever signal.
    const timelineValue = 1 + this.#random.below(this.#point + 1);
    return kind === 1 ? [{ flags: SYNC_OP_TIMELINE, handle: this.#timeline, timelineValue }] : [];
  }

  #openGate(): void {
    const [gate] = this.#gates.splice(this.#random.below(this.#gates.length || 1), 1);
    gate?.signal();
  }

  #op(): TestOp {
    const random = this.#random;
    const kind = random.below(8);
    const at = random.below(2) === 0 ? random.below(PAGES) : CHUNK * random.below(3);
    const pages = Math.min(
      random.below(3) === 0 ? CHUNK * (1 + random.below(2)) : 1 + random.below(40),
      PAGES - at,
    );
    const op: TestOp = { va: BASE + at * PAGE, size: pages * PAGE };
    if (kind < 2) return { ...op, flags: OP_UNMAP };
    if (kind < 4) return { ...op, flags: MAP_NOEXEC | MAP_SPARSE };
    const flags = MAP_NOEXEC | (random.below(6) === 0 ? MAP_READONLY : 0);
    // A handle out of the air: one's own, somebody else's number, or nobody's.
    if (random.below(16) === 0) return { ...op, flags, boHandle: 1 + random.below(12) };
    const [boHandle, bo] = random.pick([...this.file.bos()]) ?? [0, null];
    if (bo === null) return { ...op, flags, boHandle };
    const offset = random.below(bo.size / PAGE);
    return {
      ...op,
      flags,
      boHandle,
      boOffset: offset * PAGE,
      size: Math.min(pages, bo.size / PAGE - offset) * PAGE,
    };
  }

  #evict(): void {
    const random = this.#random;
    const bo = random.below(4) === 0 ? this.file.dummy : random.pick([...this.file.bos()])?.[1];
    if (bo !== undefined && bo.pins === 0) this.device.evict(bo as PanthorBo);
  }

  /** As a job of the GPU does before it runs; without memory it does not run. */
  #validate(vm: PanthorVm): void {
    try {
      vm.validate();
    } catch (error) {
      expect(error).toMatchObject({ errno: ENOMEM });
    }
  }

  /** Stores the tag somewhere in a VM. */
  #touch({ addressSpace }: PanthorVm): void {
    const random = this.#random;
    const va = BASE + random.below(PAGES) * PAGE + random.below(LOOK_BYTES);
    const { kind, writable } = addressSpace.translate(va);
    if (kind === "page" && writable) addressSpace.store8(va, this.tag);
  }

  /** Stores the tag everywhere. */
  flood(): void {
    for (const [, { addressSpace }] of this.vms()) {
      for (let va = BASE; va < BASE + PAGES * PAGE; va += PAGE) {
        const { kind, writable } = addressSpace.translate(va);
        if (kind === "page" && writable) addressSpace.store8(va + 1, this.tag);
      }
    }
  }

  /** What the GPU sees of every page that is mapped. */
  *seen(): Generator<{ va: number; pa: number; bytes: Uint8Array }> {
    for (const [, { addressSpace }] of this.vms()) {
      for (let va = BASE; va < BASE + PAGES * PAGE; va += PAGE) {
        const walk = addressSpace.translate(va);
        if (walk.kind === "page") yield { va, pa: walk.pa, bytes: addressSpace.load(va, LOOK_BYTES) };
      }
    }
  }
}
