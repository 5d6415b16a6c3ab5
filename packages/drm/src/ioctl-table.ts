/**
 * A driver's table of ioctls, and what the DRM core does around every row of it (`drm_ioctl`): find the row by number,
 * copy the argument in, run, copy it out again whatever came of it, and turn an error into a negative errno.
 *
 * A driver keeps only the rows:
 *
 * ```ts
 * import {
 *   DRM_COMMAND_BASE,
 *   drmIowr,
 *   IoctlTable,
 *   ioctlRow,
 *   type StructLayout,
 *   struct,
 *   u32,
 *   uapiCounters,
 * } from "@vmbind/drm";
 *
 * const VM_CREATE: StructLayout<{ flags: number; id: number }> = struct("vm_create", 8, { flags: u32(0), id: u32(4) });
 * const IOCTL_VM_CREATE = drmIowr(DRM_COMMAND_BASE + 1, 8);
 * const ioctls = new IoctlTable([ioctlRow(IOCTL_VM_CREATE, VM_CREATE, () => ({ id: 7 }))]);
 *
 * const file = { lastError: null, device: { counters: uapiCounters() } };
 * const arg = VM_CREATE.encode({});
 * console.log(ioctls.ioctl(file, IOCTL_VM_CREATE, arg), VM_CREATE.read(new DataView(arg.buffer)).id); // 0 7
 * ```
 *
 * @module
 */

import type { UapiCounters } from "./counters.ts";
import { DrmError, EFAULT, EINVAL, ENOTTY, EOPNOTSUPP, fail } from "./errno.ts";
import { DIR_READ, DIR_WRITE, decodeIoctl, TYPE_DRM } from "./ioctl.ts";
import type { StructLayout } from "./struct.ts";
import { UserMemory, type UserSpace } from "./user-memory.ts";

/** What a table needs of the open file that an ioctl is issued on. */
export interface IoctlFile {
  /** Receives why the ioctl failed, null when it succeeded. */
  lastError: DrmError | null;
  /** Its device. */
  readonly device: {
    /** Its cost sheet: `ioctls`, `ioctlErrors` and, for the argument structs, `payloadBytes` are counted on it. */
    readonly counters: UapiCounters;
  };
}

/**
 * Runs an ioctl over its bytes.
 *
 * @param file - the open file
 * @param arg - exactly the struct that the driver knows; changed in place
 * @param user - memory behind the pointers in `arg`
 * @throws {@link DrmError} for what the driver refuses
 */
export type IoctlHandler<F> = (file: F, arg: DataView, user: UserSpace) => void;

/** A row: the driver's own request number, which tells the size of its struct, and what runs it. */
export type IoctlRow<F> = readonly [request: number, run: IoctlHandler<F>];

/** What a table answers to requests without a row. */
export interface IoctlTableOptions {
  /** Requests that the real driver has and the model has not, by number (not request): EOPNOTSUPP with their name. */
  notModelled?: Iterable<readonly [nr: number, name: string]>;
  /** Positive errno for a request of another type than DRM's. ENOTTY unless given. */
  foreign?: number;
}

/**
 * A row whose handler works on a decoded struct.
 *
 * @param request - the driver's request number
 * @param layout - its struct
 * @param run - gets the struct; returns the members to write back, or nothing
 * @throws Error when the request says another size than the layout
 */
export function ioctlRow<F, T extends object>(
  request: number,
  layout: StructLayout<T>,
  // biome-ignore lint/suspicious/noConfusingVoidType: handlers without outputs return nothing
  run: (file: F, args: T, user: UserSpace) => Partial<T> | void,
): IoctlRow<F> {
  const { size } = decodeIoctl(request);
  if (size !== layout.size) throw new Error(`${layout.name}: ${layout.size} bytes, the request says ${size}`);
  const handler: IoctlHandler<F> = (file, arg, user) => {
    const out = run(file, layout.read(arg), user);
    if (!out) return;
    for (const member of Object.keys(out) as (keyof T)[]) layout.fields[member].write(arg, 0, out[member]);
  };
  return [request, handler];
}

/** The ioctls of a driver. `DRM_IOCTL_GEM_CLOSE`, the core's own, is one of its rows. */
export class IoctlTable<F extends IoctlFile> {
  readonly #handlers: (IoctlHandler<F> | undefined)[] = [];
  /** Bytes of each row's struct. */
  readonly #sizes: number[] = [];
  /** {@link DIR_WRITE} and {@link DIR_READ} of each row. */
  readonly #dirs: number[] = [];
  readonly #notModelled: ReadonlyMap<number, string>;
  readonly #foreign: number;

  /**
   * @param rows - one for each request
   * @param options - see {@link IoctlTableOptions}
   */
  constructor(rows: readonly IoctlRow<F>[], { notModelled = [], foreign = ENOTTY }: IoctlTableOptions = {}) {
    for (const [request, run] of rows) {
      const { nr, size, dir } = decodeIoctl(request);
      this.#handlers[nr] = run;
      this.#sizes[nr] = size;
      this.#dirs[nr] = dir;
    }
    this.#notModelled = new Map(notModelled);
    this.#foreign = foreign;
  }

  /**
   * One ioctl. Rows are told apart by number alone. A struct of another size than the driver's, as the request says it,
   * belongs to an older or newer header: members behind a short one's end read as zero, those behind the driver's are
   * left alone. The struct is copied in and out only where the request and the row both say so.
   *
   * @param file - the open file
   * @param request - 32-bit request number; the sign is ignored
   * @param arg - the argument struct, at least as long as the request says; changed in place
   * @param user - memory behind the pointers in `arg`
   * @returns 0, or a negative errno with the reason in `file.lastError`: EFAULT for an argument shorter than the request
   * says, EINVAL for an unknown number, EOPNOTSUPP for one that is not modelled, ENOTTY (unless the driver says
   * otherwise) for a request that is not DRM's, and what the row's handler throws
   */
  ioctl(file: F, request: number, arg: Uint8Array, user: UserSpace = NO_MEMORY): number {
    const { counters } = file.device;
    counters.ioctls++;
    file.lastError = null;
    try {
      this.#run(file, request, arg, user, counters);
      return 0;
    } catch (error) {
      if (!(error instanceof DrmError)) throw error;
      counters.ioctlErrors++;
      file.lastError = error;
      return -error.errno;
    }
  }

  #run(file: F, request: number, arg: Uint8Array, user: UserSpace, counters: UapiCounters): void {
    const nr = request & 0xff;
    const run = this.#handlers[nr];
    if (run === undefined || ((request >>> 8) & 0xff) !== TYPE_DRM) this.#refuse(request);
    const given = (request >>> 16) & 0x3fff;
    if (arg.length < given)
      fail(EFAULT, `ioctl: the argument has ${arg.length} bytes, the request says ${given}`);
    const size = this.#sizes[nr] as number;
    const known = this.#dirs[nr] as number;
    const dir = (request >>> 30) & known;
    if (dir & DIR_WRITE) counters.payloadBytes += given;
    if (given >= size && dir === known) {
      run(file, new DataView(arg.buffer, arg.byteOffset, size), user);
      return;
    }
    const whole = new Uint8Array(size);
    const common = arg.subarray(0, Math.min(given, size));
    if (dir & DIR_WRITE) whole.set(common);
    try {
      run(file, new DataView(whole.buffer), user);
    } finally {
      if (dir & DIR_READ) common.set(whole.subarray(0, common.length));
    }
  }

  #refuse(request: number): never {
    const { type, nr } = decodeIoctl(request);
    const hex = `0x${(request >>> 0).toString(16)}`;
    if (type !== TYPE_DRM) fail(this.#foreign, `ioctl: ${hex} is not a DRM request`);
    const name = this.#notModelled.get(nr);
    if (name !== undefined) fail(EOPNOTSUPP, `ioctl: ${name} is not modelled`);
    fail(EINVAL, `ioctl: ${hex} is not a request of this driver`);
  }
}

const NO_MEMORY: UserSpace = new UserMemory();
