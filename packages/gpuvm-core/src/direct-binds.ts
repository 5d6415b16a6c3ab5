/**
 * Requests that come to one step, or to many of one kind, without the steps: nothing is computed that split and merge has to find out,
 * and no handler is called. Most requests are such ones. They are for drivers whose handlers would do nothing else, and they leave to
 * `Gpuvm.smMap` and `Gpuvm.smUnmap` whatever is not as simple: then nothing has happened.
 *
 * @module
 */

import type { MapRequest } from "./steps.ts";
import type { VmBo } from "./vm-bo.ts";
import { VmObjects } from "./vm-objects.ts";

/** A VA space with objects, and the short ways. */
export class DirectBinds extends VmObjects {
  /** Whether anybody looks on; asked once a step. @internal */
  observed = false;
  /** Handles of a run that is being mapped. */
  #run = new Int32Array(16);

  /**
   * Map where nothing is in the way: what `Gpuvm.smMap` comes to there, with a map handler that calls `Gpuvm.map`.
   *
   * @param request - as `Gpuvm.smMap` takes it, without a repeat
   * @returns the mapping's handle; 0 where only smMap tells, also while anybody looks on, who is shown each step: nothing has happened then
   */
  mapFree(request: MapRequest): number {
    const { addr, range } = request;
    const end = addr + range;
    if (this.observed || this.emptyMappings > 0 || !(range > 0) || end > Number.MAX_SAFE_INTEGER) return 0;
    if (!this.exactlyValid(addr, end)) return 0;
    if (!this.hasRoom(addr, end)) return 0;
    const { pool } = this;
    const { gem } = request;
    const va = pool.alloc();
    this.tree.insertFound(addr, va);
    pool.fill(va, addr, end, request.offset, gem === null ? 0 : -gem.id, request.flags ?? 0);
    this.counters.mapSteps++;
    this.inserted();
    return va;
  }

  /**
   * Take the one mapping out that a range is: what `Gpuvm.smUnmap` comes to there, with an unmap handler that calls
   * `Gpuvm.unmap`.
   *
   * @param addr - bytes
   * @param range - bytes
   * @returns the mapping's handle, readable until `Gpuvm.free`; 0 where only smUnmap tells, also while anybody looks on, who is
   * shown each step: nothing has happened then
   */
  unmapWhole(addr: number, range: number): number {
    const end = addr + range;
    if (this.observed || this.emptyMappings > 0 || !(end > addr) || end > Number.MAX_SAFE_INTEGER) return 0;
    const { tree } = this;
    const va = tree.seekEntry(addr);
    if (va === 0 || this.pool.end(va) !== end || va === this.kernelNode) return 0;
    tree.removeAtPlace();
    this.counters.unmapSteps++;
    this.removed();
    return va;
  }

  /**
   * Take all mappings out that meet a range and lie in it: what `Gpuvm.smUnmap` comes to there, with an unmap handler that calls
   * `Gpuvm.unmap`.
   *
   * @param addr - bytes
   * @param range - bytes
   * @param out - gets the mappings' handles, ascending, from its beginning on: readable until `Gpuvm.free`. It is never made shorter
   * @returns how many they are; -1 where only smUnmap tells, also while anybody looks on, who is shown each step: nothing has happened then
   */
  unmapInside(addr: number, range: number, out: number[]): number {
    const end = addr + range;
    if (this.observed || this.emptyMappings > 0 || !(end > addr) || end > Number.MAX_SAFE_INTEGER) return -1;
    if (!this.exactlyValid(addr, end)) return -1;
    const count = this.#uprootInside(addr, end, out);
    if (count <= 0) return count;
    this.counters.unmapSteps += count;
    this.counters.gpuvasLive -= count;
    this.refs -= count;
    return count;
  }

  /** See `VaSpace.roomFor`; 0 while anybody looks on, who is shown each step. */
  override roomFor(addr: number, range: number, count: number): number {
    return this.observed ? 0 : super.roomFor(addr, range, count);
  }

  /**
   * Map the same bytes of an object again and again, each time where the mapping before ends: what as many calls of `Gpuvm.smMap`
   * come to whose handlers map and link, where nothing is in the way. User-mode drivers without a better way fill a range page by page.
   *
   * @param first - the first of them, which does not repeat; later ones differ in `addr`
   * @param vmBo - the pair that each is linked to
   * @param count - how many there are to be
   * @returns how many there are now: at most {@link DirectBinds.roomFor}
   */
  mapRun(first: MapRequest, vmBo: VmBo, count: number): number {
    const { pool } = this;
    const { addr, range, gem, offset, flags = 0 } = first;
    if (gem !== vmBo.gem) throw new Error("mapRun: mapping and vm_bo have different objects");
    const n = this.roomFor(addr, range, count);
    if (n === 0) return 0;
    if (n > this.#run.length) this.#run = new Int32Array(2 * n);
    const vas = this.#run;
    pool.allocRun(vas, n);
    pool.fillRun(vas, n, addr, range, offset, vmBo.slot, flags, vmBo.tail);
    this.linkedRun(vmBo, vas[0] as number, vas[n - 1] as number, n);
    this.tree.insertRun(addr, range, vas, n);
    const c = this.counters;
    c.mapSteps += n;
    c.gpuvasLive += n;
    if (c.gpuvasLive > c.gpuvasPeak) c.gpuvasPeak = c.gpuvasLive;
    this.refs += n;
    return n;
  }

  /**
   * Take the mappings out of the tree that meet a range, where there are no zero-length ones.
   *
   * @param out - gets their handles, from its beginning on
   * @returns how many they are, -1 where one of them sticks out of the range: nothing has changed then
   */
  #uprootInside(addr: number, end: number, out: number[]): number {
    const { tree } = this;
    if (!tree.seekBehindGap(addr)) {
      tree.seek(addr);
      // The place is behind a mapping that begins with the range.
      if (tree.before() !== 0 && this.pool.addr(tree.before()) === addr) tree.stepBack();
      else if (this.pool.end(tree.before()) > addr) return -1;
    }
    let count = 0;
    tree.startWalk();
    for (let va = tree.walk(end); va !== 0; va = tree.walk(end)) out[count++] = va;
    if (count === 0) return 0;
    if (this.pool.end(out[count - 1] as number) > end) return -1;
    tree.removeRun(addr, count);
    return count;
  }

  /** A mapping came. @internal */
  protected inserted(): void {
    this.refs++;
    const c = this.counters;
    if (++c.gpuvasLive > c.gpuvasPeak) c.gpuvasPeak = c.gpuvasLive;
  }

  /** A mapping went. @internal */
  protected removed(): void {
    this.refs--;
    this.counters.gpuvasLive--;
  }
}
