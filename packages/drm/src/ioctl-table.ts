/**
 * A driver's table of ioctls, and what the DRM core does around every row of it (`drm_ioctl`): find the row by number,
 * copy the argument in, run, copy it out again whatever came of it, and turn an error into a negative errno.
 *
 * A driver keeps only the rows:
 *
 * ```ts
 * import { DRM_COMMAND_BASE, drmIowr, ioctl, IoctlTable, type StructLayout, struct, u32, uapiCounters } from "@vmbind/drm";
 *
 * const VM_CREATE: StructLayout<{ flags: number; id: number }> = struct("vm_create", 8, { flags: u32(0), id: u32(4) });
 * const IOCTL_VM_CREATE = drmIowr(DRM_COMMAND_BASE + 1, 8);
 * const ioctls = new IoctlTable([
 *   ioctl({
 *     name: "FOO_VM_CREATE",
 *     request: IOCTL_VM_CREATE,
 *     layout: VM_CREATE,
 *     errnos: [],
 *     since: "1.0",
 *     support: "full",
 *     run: () => ({ id: 7 }),
 *   }),
 * ]);
 *
 * const file = { lastError: null, closed: false, device: { counters: uapiCounters() } };
 * const arg = VM_CREATE.encode({});
 * console.log(ioctls.ioctl(file, IOCTL_VM_CREATE, arg), VM_CREATE.read(new DataView(arg.buffer)).id); // 0 7
 * ```
 *
 * @module
 */

import type { UapiCounters } from "./counters.ts";
import { needOpen } from "./drm-file.ts";
import { DrmError, EFAULT, EINVAL, ENOTTY, fail } from "./errno.ts";
import { DIR_READ, DIR_WRITE, decodeIoctl, TYPE_DRM } from "./ioctl.ts";
import type { IoctlHandler, IoctlRow } from "./ioctl-row.ts";
import { namedFault } from "./named-fault.ts";
import { viewOf } from "./struct.ts";
import { type StructCopy, structCopy } from "./struct-copy.ts";
import { UserFault, UserMemory, type UserSpace } from "./user-memory.ts";

/** What a table needs of the open file that an ioctl is issued on. */
export interface IoctlFile {
  /** Receives why the ioctl failed, null when it succeeded. */
  lastError: DrmError | null;
  /** Whether it was closed. */
  readonly closed: boolean;
  /** Its device. */
  readonly device: {
    /** Its cost sheet: `ioctls`, `ioctlErrors` and, for the argument structs, `payloadBytes` are counted on it. */
    readonly counters: UapiCounters;
  };
}

/** What a table is told beside its rows. */
export interface IoctlTableOptions {
  /** Positive errno for a request of another type than DRM's. ENOTTY unless given. */
  foreign?: number;
}

/**
 * A struct of an older header as the DRM core extends it (`drm_ioctl`): zeroes behind its end.
 *
 * @param bytes - memory, of any length
 * @param size - bytes of the struct
 * @returns a view of these bytes where they are enough, else of a copy with zeroes behind
 */
export function zeroExtended(bytes: Uint8Array, size: number): DataView {
  if (bytes.length >= size) return viewOf(bytes);
  const whole = new Uint8Array(size);
  whole.set(bytes);
  return viewOf(whole);
}

/** The ioctls of a driver, those of the DRM core that it has included. */
export class IoctlTable<F extends IoctlFile> {
  /** The rows in order. */
  readonly rows: readonly IoctlRow<F>[];
  readonly #handlers: (IoctlHandler<F> | undefined)[] = [];
  /** Request of each row. */
  readonly #requests: number[] = [];
  /** Bytes of each row's struct. */
  readonly #sizes: number[] = [];
  /** {@link DIR_WRITE} and {@link DIR_READ} of each row. */
  readonly #dirs: number[] = [];
  /** For each row what a handler works on instead of the caller's bytes, as a struct on the kernel's stack; null while one has it. */
  readonly #copies: (StructCopy | null)[] = [];
  /** Whether each row's handler leaves the struct as it is. */
  readonly #keeps: boolean[] = [];
  readonly #foreign: number;

  /**
   * @param rows - one for each request
   * @param options - see {@link IoctlTableOptions}
   * @throws Error for two rows with one number
   */
  constructor(rows: readonly IoctlRow<F>[], { foreign = ENOTTY }: IoctlTableOptions = {}) {
    this.rows = rows;
    for (const { name, request, run, keeps } of rows) {
      const { nr, size, dir } = decodeIoctl(request);
      if (this.#sizes[nr] !== undefined)
        throw new Error(`ioctl table: ${name} has the number of another row`);
      this.#requests[nr] = request;
      this.#handlers[nr] = run ?? undefined;
      this.#sizes[nr] = size;
      this.#dirs[nr] = dir;
      this.#copies[nr] = null;
      this.#keeps[nr] = keeps;
    }
    this.#foreign = foreign;
  }

  /**
   * @param request - 32-bit request number; only type and number matter, as in {@link ioctl}
   * @returns its row, modelled or not
   */
  row(request: number): IoctlRow<F> | undefined {
    const { type, nr } = decodeIoctl(request);
    return type === TYPE_DRM ? this.rows.find((row) => decodeIoctl(row.request).nr === nr) : undefined;
  }

  /**
   * @param request - 32-bit request number as a caller sends it
   * @returns the driver's own request of that number, whatever direction and size were sent; the same where there is none
   */
  own(request: number): number {
    const known = ((request >>> 8) & 0xff) === TYPE_DRM ? this.#requests[request & 0xff] : undefined;
    return known ?? request >>> 0;
  }

  /**
   * One ioctl. Rows are told apart by number alone. A struct of another size than the driver's, as the request says it,
   * belongs to an older or newer header: members behind a short one's end read as zero, those behind the driver's are
   * left alone; where nothing is copied in they become zero. The struct is copied in and out only where the request and the row
   * both say so.
   *
   * @param file - the open file
   * @param request - 32-bit request number; the sign is ignored
   * @param arg - the argument struct, at least as long as the request says; changed in place
   * @param user - memory behind the pointers in `arg`
   * @returns 0, or a negative errno with the reason in `file.lastError`: EBADF for a closed file, EFAULT for an argument shorter than the request
   * says, EINVAL for an unknown number, the row's errno for one that is not modelled, ENOTTY (unless the driver says
   * otherwise) for a request that is not DRM's, and what the row's handler throws
   */
  ioctl(file: F, request: number, arg: Uint8Array, user: UserSpace = NO_MEMORY): number {
    const { counters } = file.device;
    counters.ioctls++;
    file.lastError = null;
    try {
      needOpen(file, "ioctl");
      this.#run(file, request, arg, user, counters);
      return 0;
    } catch (error) {
      if (!(error instanceof DrmError)) throw error;
      counters.ioctlErrors++;
      const row = error instanceof UserFault ? this.row(request) : undefined;
      file.lastError = row === undefined ? error : namedFault(error as UserFault, row, arg, user);
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
    const common = arg.length === size && given === size ? arg : arg.subarray(0, Math.min(given, size));
    // A handler that issues an ioctl of the same row finds no copy, and gets another.
    const copy = this.#copies[nr] ?? structCopy(size);
    this.#copies[nr] = null;
    const { bytes } = copy;
    const filled = dir & DIR_WRITE ? common.length : 0;
    if (filled > 0) bytes.set(common);
    if (filled < size) bytes.fill(0, filled);
    // What came in whole and is left as it is has nothing to go back.
    const writesBack = (dir & DIR_READ) !== 0 && !(this.#keeps[nr] && filled === size);
    try {
      run(file, copy.view, user);
    } finally {
      if (writesBack) {
        common.set(common === arg ? bytes : bytes.subarray(0, common.length));
        if (given > size && (dir & DIR_WRITE) === 0) arg.fill(0, size, given);
      }
      this.#copies[nr] = copy;
    }
  }

  #refuse(request: number): never {
    const hex = `0x${(request >>> 0).toString(16)}`;
    if (decodeIoctl(request).type !== TYPE_DRM) fail(this.#foreign, `ioctl: ${hex} is not a DRM request`);
    const row = this.row(request);
    if (row === undefined) return fail(EINVAL, `ioctl: ${hex} is not a request of this driver`);
    const { name, support } = row;
    if (typeof support === "object" && "errno" in support)
      fail(support.errno, `ioctl: ${name} is not modelled`);
    throw new Error(`ioctl table: ${name} is supported and has no handler`);
  }
}

const NO_MEMORY: UserSpace = new UserMemory();
