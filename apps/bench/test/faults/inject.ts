/**
 * How a fault is injected into a model, to see that the simulator sees it: a method is changed for as long as a test runs. The faults are what
 * a tired author could write, or what a kernel once had; those of each driver, and those of what drivers share, stand beside this file.
 */

import { type DrmFile, ENOBUFS, ENOMEM } from "@vmbind/drm";

/** A fault. */
export interface InjectedFault {
  /** What is wrong. */
  readonly name: string;
  /** Drivers that have it then. */
  readonly drivers: readonly string[];
  /** Ioctls within which it must be found. */
  readonly within: number;
  /** Injects it; {@link repair} takes it out. */
  readonly inject: () => void;
}

/** Small enough for what is rare, large enough that a device comes up. */
const EVERY = 40;

const repairs: (() => void)[] = [];

/** Take every fault out. */
export function repair(): void {
  for (const undo of repairs.splice(0)) undo();
}

/** Put a method in place of another, which it is given. */
export function around<T extends object, A extends unknown[], R>(
  owner: T,
  name: string,
  real: (this: T, ...args: A) => R,
  instead: (self: T, real: (...args: A) => R, ...args: A) => R,
): void {
  const before = Object.getOwnPropertyDescriptor(owner, name);
  if (before === undefined) throw new Error(`no method ${name}`);
  Object.defineProperty(owner, name, {
    ...before,
    value(this: T, ...args: A): R {
      return instead(this, (...given) => real.apply(this, given), ...args);
    },
  });
  repairs.push(() => void Object.defineProperty(owner, name, before));
}

export function nothing<T extends object, A extends unknown[]>(
  owner: T,
  name: string,
  real: (this: T, ...args: A) => void,
): void {
  around(owner, name, real, () => {});
}

/** True for one call of so many. */
export function now(): () => boolean {
  let calls = 0;
  return () => ++calls % EVERY === 0;
}

/** Ioctls of a file report success where there was no memory. */
export function silent(file: { readonly prototype: DrmFile }): void {
  around(file.prototype, "ioctl", file.prototype.ioctl, (_self, real, request, arg, user) => {
    const ret = real(request, arg, user);
    return ret === -ENOMEM || ret === -ENOBUFS ? 0 : ret;
  });
}
