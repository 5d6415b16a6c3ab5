/**
 * The window of addresses that a VM manages, and the range in it that is the kernel's (`drivers/gpu/drm/drm_gpuvm.c`, Linux 7.3-rc7).
 *
 * @module
 */

import { hex, span } from "@vmbind/drm";
import { compareSum } from "./u64-sum.ts";

const U64 = 2 ** 64;

/** Where a window lies. */
export interface VaWindowOptions {
  /** First managed address in bytes, 0 unless given. */
  start?: number;
  /** Managed bytes. */
  range: number;
  /** First address of the range reserved for the kernel, in bytes. */
  kernelStart?: number;
  /** Bytes of it, 0 = none. */
  kernelRange?: number;
}

/** A window, and which ranges are valid in it. */
export class VaWindow {
  /** First managed address in bytes. */
  readonly start: number;
  /** Managed bytes. */
  readonly range: number;
  /** First address behind the window; wraps at 2^64 as the kernel's sum does. */
  readonly #end: number;
  /** First address of the kernel's range. @internal */
  protected readonly kernelStart: number;
  /** First address behind it, 0 where there is none. @internal */
  protected readonly kernelEnd: number;

  /** @param options - see {@link VaWindowOptions} */
  constructor(options: VaWindowOptions) {
    this.start = options.start ?? 0;
    this.range = options.range;
    this.#end = (this.start + this.range) % U64;
    this.kernelStart = options.kernelStart ?? 0;
    const kernelRange = options.kernelRange ?? 0;
    this.kernelEnd = kernelRange === 0 ? 0 : this.kernelStart + kernelRange;
  }

  /**
   * `drm_gpuvm_range_valid`.
   *
   * @param addr - bytes
   * @param range - bytes; 0 is accepted, as in the kernel
   * @returns true when `[addr, addr + range)` does not reach 2^64, lies in the window, and leaves the kernel's range alone
   */
  rangeValid(addr: number, range: number): boolean {
    // Asked of each step: rounding can only decide where the rounded sum is the bound itself.
    const end = addr + range;
    if (addr < this.start || ((end >= this.#end || end >= U64) && !this.#endValid(addr, range))) return false;
    return addr >= this.kernelEnd || compareSum(addr, range, this.kernelStart) <= 0;
  }

  /** {@link VaWindow.rangeValid} of a range whose end no sum has rounded. @internal */
  protected exactlyValid(addr: number, end: number): boolean {
    return addr >= this.start && end <= this.#end && (addr >= this.kernelEnd || end <= this.kernelStart);
  }

  #endValid(addr: number, range: number): boolean {
    return compareSum(addr, range, U64) < 0 && compareSum(addr, range, this.#end) <= 0;
  }

  /**
   * Why a range is not valid.
   *
   * @param addr - bytes
   * @param range - bytes
   * @returns null where {@link VaWindow.rangeValid} says true, else the range and what it leaves or meets
   */
  rangeProblem(addr: number, range: number): string | null {
    if (this.rangeValid(addr, range)) return null;
    const asked = `va: ${hex(addr)} + ${hex(range)}`;
    if (compareSum(addr, range, U64) >= 0) return `${asked} reaches 2^64`;
    if (addr < this.start || compareSum(addr, range, this.#end) > 0)
      return `${asked} is not inside the VM's ${span(this.start, this.range)}`;
    const kernel = span(this.kernelStart, this.kernelEnd - this.kernelStart);
    return `${asked} meets the kernel's range ${kernel}`;
  }
}
