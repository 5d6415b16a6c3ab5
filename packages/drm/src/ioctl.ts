/**
 * ioctl request numbers (`asm-generic/ioctl.h`, `drm.h`): direction, type, number and argument size in 32 bits.
 *
 * ```text
 * 31 30 | 29 ........ 16 | 15 ... 8 | 7 .... 0
 *  dir  |  size (bytes)  | type 'd' |   number
 * ```
 *
 * @module
 */

/** Type letter of DRM requests, `'d'` (`DRM_IOCTL_BASE`, `drm.h`). */
export const TYPE_DRM = 0x64;
/** Direction of requests whose argument the kernel reads (`_IOC_WRITE`, `asm-generic/ioctl.h`). */
export const DIR_WRITE = 1;
/** Direction of requests whose argument the kernel writes back (`_IOC_READ`). */
export const DIR_READ = 2;

/** First ioctl number of a driver (`DRM_COMMAND_BASE`, `drm.h`). */
export const DRM_COMMAND_BASE = 0x40;

/** `DRM_IOCTL_GEM_CLOSE` (`drm.h`): argument is {u32 handle, u32 pad}. */
export const DRM_IOCTL_GEM_CLOSE = 0x40086409;

/** A request number taken apart. */
export interface IoctlNumber {
  /** Bit 0: user to kernel (`_IOC_WRITE`); bit 1: kernel to user (`_IOC_READ`). */
  dir: number;
  /** Type letter, 0x64 (`'d'`) for DRM. */
  type: number;
  /** Number: core ioctls below {@link DRM_COMMAND_BASE}, the driver's from there on. */
  nr: number;
  /** Bytes of the argument struct. */
  size: number;
}

function encode(dir: number, nr: number, size: number): number {
  return ((dir << 30) | (size << 16) | (TYPE_DRM << 8) | nr) >>> 0;
}

/**
 * Request that only passes an argument to the kernel.
 *
 * @param nr - 0..255
 * @param size - bytes of the argument, 0..16383
 * @returns the unsigned 32-bit request
 */
export function drmIow(nr: number, size: number): number {
  return encode(DIR_WRITE, nr, size);
}

/**
 * Request that passes its argument both ways.
 *
 * @param nr - 0..255
 * @param size - bytes of the argument, 0..16383
 * @returns the unsigned 32-bit request
 */
export function drmIowr(nr: number, size: number): number {
  return encode(DIR_WRITE | DIR_READ, nr, size);
}

/**
 * Take a request number apart.
 *
 * @param request - 32 bits; the sign is ignored
 * @returns its parts
 */
export function decodeIoctl(request: number): IoctlNumber {
  return {
    dir: request >>> 30,
    type: (request >>> 8) & 0xff,
    nr: request & 0xff,
    size: (request >>> 16) & 0x3fff,
  };
}
