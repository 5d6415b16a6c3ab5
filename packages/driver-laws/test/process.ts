/**
 * A process that does random things with a driver, legal ones and others. What it stores is its tag, so that a byte tells
 * whose it is.
 */

import { EBUSY, EEXIST, EINTR, EINVAL, ENOBUFS, ENOENT, ENOMEM, ENOSPC } from "@vmbind/drm";
import type { Random } from "../../../test/random.ts";
import type { Facts, Op, TestDevice, TestFile, TestVm } from "./subject.ts";

const OBJECTS_MAX = 8;
const OBJECT_PAGES = [1, 3, 16, 48, 512, 528];
/** Bytes at the start of a page that stores go to and looks read. */
const LOOK_BYTES = 16;
const CALL_ERRNOS = [EINVAL, ENOENT, ENOMEM, EBUSY, ENOBUFS, ENOSPC, EEXIST, EINTR];

/** A page as the GPU sees it. */
export interface SeenPage {
  va: number;
  /** Physical address, or -1 for a page without memory. */
  pa: number;
  bytes: Uint8Array;
}

export class Process {
  readonly #device: TestDevice;
  readonly #facts: Facts;
  readonly #random: Random;
  readonly #vmsMax: number;
  /** Of a hundred steps, those that make a VM while there may be more. */
  readonly #makesVm: number;
  /** What it stores. */
  readonly tag: number;
  #file: TestFile;

  constructor(device: TestDevice, facts: Facts, random: Random, tag: number, vmsMax: number) {
    this.#device = device;
    this.#facts = facts;
    this.#random = random;
    this.#vmsMax = vmsMax;
    this.#makesVm = facts.contextSlots === null ? 3 : 30;
    this.tag = tag;
    this.#file = device.open();
  }

  /** Let everything run that waits. */
  quiesce(): void {
    this.#file.quiesce?.();
  }

  /** The end, also in the middle of things. */
  close(): void {
    this.#file.close();
  }

  /** One random thing. */
  step(): void {
    const { below } = this.#random;
    const file = this.#file;
    const kind = below(100);
    const vms = [...file.vms()];
    const [vmId, vm] = this.#random.pick(vms) ?? [0, null];
    if (vm === null || (kind < this.#makesVm && vms.length < this.#vmsMax))
      this.#allow(file.createVm(), [ENOMEM, EBUSY]);
    else if (kind < 48) this.#bind(vmId, false);
    else if (kind < 56) this.#bind(vmId, this.#facts.queues);
    else if (kind < 64) this.#own(vmId);
    else if (kind < 68 && this.#facts.bindsLater) this.#later(vmId);
    else if (kind < 74) this.#createObject(vmId);
    else if (kind < 80) this.#allow(file.closeObject(below(10)), [EINVAL]);
    else if (kind < 81) this.#allow(file.destroyVm(below(20)), [EINVAL, ENOENT, EBUSY]);
    else if (kind < 84) this.#evict();
    else if (kind < 87) this.#allow(file.restore?.() ?? 0, [ENOMEM]);
    else if (kind < 97) this.#touch(vm);
    else if (below(3) === 0) {
      this.close();
      this.#file = this.#device.open();
    } else this.quiesce();
  }

  #allow(ret: number, errnos: readonly number[]): void {
    if (ret < 0 && !errnos.includes(-ret)) throw new Error(`${ret}: ${this.#file.reason()}`);
  }

  #createObject(vm: number): void {
    const { below } = this.#random;
    if ([...this.#file.objects()].length >= OBJECTS_MAX) {
      this.#allow(this.#file.closeObject(below(10)), [EINVAL]);
      return;
    }
    const { objectKinds, pageBytes, privateObjects } = this.#facts;
    const kind = objectKinds[below(objectKinds.length)];
    // What can be chosen only without an ioctl does not ask for memory as one: mostly the ordinary way.
    const chosen = kind === undefined || below(3) > 0 ? {} : { kind: kind.name };
    const grain = Math.max(pageBytes, "kind" in chosen ? (kind?.grain ?? 0) : 0);
    const bytes = Math.ceil(((this.#random.pick(OBJECT_PAGES) as number) * pageBytes) / grain) * grain;
    const owner = privateObjects && below(3) === 0 ? { vm } : {};
    this.#allow(this.#file.createObject(bytes, { ...chosen, ...owner }), [ENOMEM]);
  }

  #bind(vm: number, queued: boolean): void {
    const { ret } = this.#file.bind(vm, this.#ops(), queued);
    this.#allow(ret, CALL_ERRNOS);
  }

  #own(vm: number): void {
    const { below } = this.#random;
    const call = this.#random.pick(this.#file.own);
    if (call !== undefined) this.#allow(call(vm, this.#ops(), below), CALL_ERRNOS);
  }

  /** Something is promised, or touched. */
  #later(vm: number): void {
    const file = this.#file;
    if (this.#random.below(2) === 0) this.#allow(file.bindLater?.(vm, this.#ops()).ret ?? 0, CALL_ERRNOS);
    else {
      const va = this.#firstVa + this.#random.below(this.#facts.windowPages) * this.#facts.pageBytes;
      this.#allow(file.touch?.(vm, va) ?? 0, [EINVAL, ENOMEM]);
    }
  }

  #ops(): Op[] {
    return Array.from({ length: 1 + this.#random.below(4) }, () => this.#op());
  }

  #op(): Op {
    const { below } = this.#random;
    const { windowPages, pageBytes, sparse, repeatWindows, unbindsObjects, ownOps, objectKinds } =
      this.#facts;
    // Mostly on the coarsest grid that some objects need.
    const unit = below(3) === 0 ? 1 : Math.max(...objectKinds.map(({ grain }) => grain)) / pageBytes;
    const at = below(windowPages / unit) * unit;
    const most = windowPages - at;
    const pages = below(3) === 0 ? 1 + below(most) : Math.min(unit * (1 + below(20)), most);
    const where = { va: this.#firstVa + at * pageBytes, bytes: pages * pageBytes };
    const kind = below(10);
    if (kind < 2) return { kind: "unbind", ...where };
    if (kind < 4 && sparse !== null) return { kind: "sparse", ...where };
    if (kind === 4 && ownOps.length > 0) {
      return { kind: "own", name: this.#random.pick(ownOps) as string, ...where };
    }
    const access = this.#random.pick([...this.#facts.accesses, "rw" as const, "rw" as const]) ?? "rw";
    // A handle out of the air: one's own, somebody else's number, or nobody's.
    if (below(16) === 0) {
      return { kind: "bind", va: where.va, bytes: pageBytes, object: 1 + below(12), offset: 0, access };
    }
    const [handle, object] = this.#random.pick([...this.#file.objects()]) ?? [0, null];
    if (object === null) return { kind: "unbind", ...where };
    if (kind === 5 && unbindsObjects && below(2) === 0) return { kind: "unbind-object", object: handle };
    const grain = where.va % (unit * pageBytes) === 0 ? unit * pageBytes : pageBytes;
    const offset = below(Math.ceil(object.size / grain)) * grain;
    const shown = { object: handle, offset, access };
    const window = this.#random.pick(repeatWindows);
    if (window !== undefined && below(3) === 0) {
      const repeated = window * pageBytes;
      const bytes = Math.max(1, Math.floor(where.bytes / repeated)) * repeated;
      return { kind: "repeat", ...where, bytes, ...shown, window: repeated };
    }
    const bytes = Math.min(where.bytes, object.size - offset);
    return { kind: "bind", ...where, bytes: Math.max(grain, Math.floor(bytes / grain) * grain), ...shown };
  }

  #evict(): void {
    const { evicts, sparse } = this.#facts;
    if (!evicts) return;
    const [handle] = this.#random.pick([...this.#file.objects()]) ?? [0];
    const what = sparse !== null && this.#random.below(4) === 0 ? "sparse" : handle;
    if (what !== 0) this.#allow(this.#file.evict?.(what) ?? 0, []);
  }

  get #firstVa(): number {
    const { seam, windowPages, pageBytes } = this.#facts;
    return seam - (windowPages / 2) * pageBytes;
  }

  *#addresses(): Generator<number> {
    const { windowPages, pageBytes, alwaysMapped } = this.#facts;
    for (let i = 0; i < windowPages; i++) yield this.#firstVa + i * pageBytes;
    yield* alwaysMapped;
  }

  /** Stores the tag somewhere in a VM. */
  #touch(vm: TestVm): void {
    const { below } = this.#random;
    const { windowPages, pageBytes, alwaysMapped } = this.#facts;
    const space = vm.space();
    const extra = below(16) === 0 ? this.#random.pick(alwaysMapped) : undefined;
    const va = extra ?? this.#firstVa + below(windowPages) * pageBytes;
    const { kind, writable } = space.translate(va);
    if (kind !== "fault" && writable) space.store8(va + below(LOOK_BYTES), this.tag);
  }

  /** Stores the tag everywhere. */
  flood(): void {
    for (const [, vm] of this.#file.vms()) {
      const space = vm.space();
      for (const va of this.#addresses()) {
        const { kind, writable } = space.translate(va);
        if (kind !== "fault" && writable) space.store8(va + 1, this.tag);
      }
    }
  }

  /** What the GPU sees of every page that it may read. */
  *seen(): Generator<SeenPage> {
    for (const [, vm] of this.#file.vms()) {
      const space = vm.space();
      for (const va of this.#addresses()) {
        const { kind, readable, pa } = space.translate(va);
        if (kind === "fault" || (kind === "page" && !readable)) continue;
        yield { va, pa: kind === "null" ? -1 : pa, bytes: space.load(va, LOOK_BYTES) };
      }
    }
  }
}
