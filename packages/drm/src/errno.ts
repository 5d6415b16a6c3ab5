/**
 * Linux errno values that the modelled drivers return, and the error that carries one.
 *
 * A kernel tells user space a number; the model keeps the sentence that goes with it. Bad user input is always a
 * {@link DrmError}; a broken invariant of the model itself is a plain `Error` and never crosses an ioctl.
 *
 * Numbers: `asm-generic/errno-base.h` and `asm-generic/errno.h`, Linux 7.3-rc7.
 *
 * @module
 */

/** Operation not permitted. */
export const EPERM = 1;
/** No such file or directory; DRM uses it for unknown handles and ids. */
export const ENOENT = 2;
/** Interrupted system call. */
export const EINTR = 4;
/** I/O error. */
export const EIO = 5;
/** Argument list too long; DRM uses it for a non-zero tail of a bigger struct. */
export const E2BIG = 7;
/** Exec format error; xe uses it for an invalid protected-content key. */
export const ENOEXEC = 8;
/** Bad file descriptor: the file is closed. */
export const EBADF = 9;
/** Try again. */
export const EAGAIN = 11;
/** Out of memory. */
export const ENOMEM = 12;
/** Permission denied. */
export const EACCES = 13;
/** Bad user pointer. */
export const EFAULT = 14;
/** Device or resource busy. */
export const EBUSY = 16;
/** File exists; the page tables use it for an entry that is already in use. */
export const EEXIST = 17;
/** No such device. */
export const ENODEV = 19;
/** Invalid argument. */
export const EINVAL = 22;
/** Not a typewriter: the request number is not one of this driver's. */
export const ENOTTY = 25;
/** Too many open files. */
export const EMFILE = 24;
/** No space left. */
export const ENOSPC = 28;
/** Broken pipe; msm uses it for a VM that is unusable. */
export const EPIPE = 32;
/** Result out of range. */
export const ERANGE = 34;
/** Not implemented; nouveau uses it for VM_BIND without a VM. */
export const ENOSYS = 38;
/** Timer expired. */
export const ETIME = 62;
/** Value too large for its place. */
export const EOVERFLOW = 75;
/** Operation not supported. */
export const EOPNOTSUPP = 95;
/** No buffer space; xe uses it for arrays that are too big to allocate. */
export const ENOBUFS = 105;
/** Operation already in progress. */
export const EALREADY = 114;
/** Operation cancelled. */
export const ECANCELED = 125;
/** Too small; the kernel's own number, which msm gives for a buffer that metadata does not fit into. */
export const ETOOSMALL = 525;

const NAMES: ReadonlyMap<number, string> = new Map([
  [EPERM, "EPERM"],
  [ENOENT, "ENOENT"],
  [EINTR, "EINTR"],
  [EIO, "EIO"],
  [E2BIG, "E2BIG"],
  [ENOEXEC, "ENOEXEC"],
  [EBADF, "EBADF"],
  [EAGAIN, "EAGAIN"],
  [ENOMEM, "ENOMEM"],
  [EACCES, "EACCES"],
  [EFAULT, "EFAULT"],
  [EBUSY, "EBUSY"],
  [EEXIST, "EEXIST"],
  [ENODEV, "ENODEV"],
  [EINVAL, "EINVAL"],
  [ENOTTY, "ENOTTY"],
  [EMFILE, "EMFILE"],
  [ENOSPC, "ENOSPC"],
  [EPIPE, "EPIPE"],
  [ERANGE, "ERANGE"],
  [ENOSYS, "ENOSYS"],
  [ETIME, "ETIME"],
  [EOVERFLOW, "EOVERFLOW"],
  [EOPNOTSUPP, "EOPNOTSUPP"],
  [ENOBUFS, "ENOBUFS"],
  [EALREADY, "EALREADY"],
  [ECANCELED, "ECANCELED"],
  [ETOOSMALL, "ETOOSMALL"],
]);

/**
 * Name of an errno.
 *
 * @param errno - the value, positive or negated as ioctls return it
 * @returns for example `"EINVAL"` for 22 and -22; `"errno N"` for a value that no modelled driver returns
 */
export function errnoName(errno: number): string {
  return NAMES.get(Math.abs(errno)) ?? `errno ${Math.abs(errno)}`;
}

/** A request of user space that the driver refuses: the errno, and the reason that a real kernel would keep to itself. */
export class DrmError extends Error {
  /** Positive errno, e.g. 22. */
  readonly errno: number;
  /** The field and the rule that it broke. */
  readonly reason: string;

  /**
   * @param errno - positive errno
   * @param reason - the field and the rule that it broke
   */
  constructor(errno: number, reason: string) {
    super(`${errnoName(errno)}: ${reason}`);
    this.name = "DrmError";
    this.errno = errno;
    this.reason = reason;
  }
}

/**
 * The error of one operation of an array: its reason begins with the name of the operation.
 *
 * @param name - e.g. `ops[5]`
 * @param error - what was thrown while that operation was worked on
 * @returns the same error when its reason begins with the name already, or it is no {@link DrmError}
 */
export function errorOf(name: string, error: unknown): unknown {
  if (!(error instanceof DrmError) || error.reason.startsWith(name)) return error;
  return new DrmError(error.errno, `${name}: ${error.reason}`);
}

/**
 * Refuse a request.
 *
 * @param errno - positive errno
 * @param reason - the field and the rule that it broke
 * @throws {@link DrmError} always
 */
export function fail(errno: number, reason: string): never {
  throw new DrmError(errno, reason);
}
