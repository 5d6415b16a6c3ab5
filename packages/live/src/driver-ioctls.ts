/**
 * The ioctls of a driver that its model leaves out and its room answers: queues, jobs, waits, queries of the hardware. A row
 * says as much as the model's own rows do, so that a log prints it in the same way; what differs is that it may answer later.
 *
 * @module
 */

import { decodeIoctl, type IoctlRow, type StructLayout, type UserArray } from "@vmbind/drm";
import type { LiveCall } from "./call.ts";
import type { Answer } from "./hardware.ts";

/** One ioctl of a room. */
export type DriverIoctl<F> = KnownIoctl & (Answering<F> | Acting<F>);

interface KnownIoctl {
  /** Name as traces would have it, e.g. `XE_EXEC`. */
  readonly name: string;
  /** The driver's own request number. */
  readonly request: number;
  /** Its struct. */
  readonly layout: StructLayout<object>;
  /** What the struct points to. */
  readonly arrays?: readonly UserArray<object>[];
}

interface Answering<F> {
  /**
   * @param file - the open file
   * @param call - who calls
   * @param arg - all of the struct that the driver knows; changed in place
   * @returns the answer
   * @throws `DrmError` for what is refused
   */
  run(file: F, call: LiveCall, arg: DataView): Answer;
}

interface Acting<F> {
  /** As `run`, for an ioctl that answers nothing but 0, at once. */
  act(file: F, call: LiveCall, arg: DataView): void;
}

/** The rows of a room. */
export class DriverIoctls<F> {
  readonly #rows: ReadonlyMap<number, DriverIoctl<F>>;

  /** @param rows - one for each number */
  constructor(rows: readonly DriverIoctl<F>[]) {
    this.#rows = new Map(rows.map((row) => [decodeIoctl(row.request).nr, row]));
  }

  /**
   * What is known of all ioctls of a driver, for those who print them.
   *
   * @param model - the model's rows
   * @returns the same, with this room's in place of those that the model leaves out
   */
  completed(model: readonly IoctlRow<never>[]): IoctlRow<never>[] {
    return model.map((row) => {
      const own = this.#rows.get(decodeIoctl(row.request).nr);
      if (row.run !== null || own === undefined) return row;
      return { ...row, layout: own.layout, arrays: own.arrays ?? [], support: "full" };
    });
  }

  /**
   * Answer an ioctl. As with the kernel's, a shorter struct of an older client reads as zero behind its end, and what a longer
   * one has more is left alone.
   *
   * @param file - the open file
   * @param call - who calls
   * @param request - 32-bit request number
   * @param arg - the argument; changed in place
   * @returns the answer; null for an ioctl that is not of this room
   * @throws `DrmError` for what is refused
   */
  answer(file: F, call: LiveCall, request: number, arg: Uint8Array): Answer | null {
    const row = this.#rows.get(request & 0xff);
    if (row === undefined) return null;
    const { size } = row.layout;
    if (arg.length >= size) return runRow(row, file, call, new DataView(arg.buffer, arg.byteOffset, size));
    const whole = new Uint8Array(size);
    whole.set(arg);
    const result = runRow(row, file, call, new DataView(whole.buffer));
    const copyOut = (ret: number) => {
      arg.set(whole.subarray(0, arg.length));
      return ret;
    };
    return typeof result === "number" ? copyOut(result) : result.then(copyOut);
  }
}

function runRow<F>(row: DriverIoctl<F>, file: F, call: LiveCall, arg: DataView): Answer {
  if ("run" in row) return row.run(file, call, arg);
  row.act(file, call, arg);
  return 0;
}
