/** What the GPU's memory unit reports when an access has no translation, or no right. */

import { hexAddress } from "./address.ts";

/** How the GPU touched memory. */
export type Access = "read" | "write" | "exec";

/** Why an access was refused. */
export type FaultKind = "not-present" | "read-permission" | "write-permission" | "exec-permission";

/** A refused access. Thrown by loads and stores, and kept in {@link AddressSpace.faults}. */
export class GpuFault extends Error {
  /** `GpuFault`, as stack traces print it. */
  override readonly name: string = "GpuFault";
  /** Virtual address of the first byte refused. */
  readonly va: number;
  /** Level of the entry that refused it, in the format's own numbers. */
  readonly level: number;
  /** Why. */
  readonly kind: FaultKind;
  /** What was tried. */
  readonly access: Access;
  /** Address space in which it was tried. */
  readonly asid: number;

  /** A record of one refused access. */
  constructor(va: number, level: number, kind: FaultKind, access: Access, asid: number) {
    super(`GPU ${access} fault at ${hexAddress(va)}: ${kind}, level ${level}, address space ${asid}`);
    this.va = va;
    this.level = level;
    this.kind = kind;
    this.access = access;
    this.asid = asid;
  }
}
