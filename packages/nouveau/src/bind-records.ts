/**
 * What VM_BINDs are decoded into, one after the other.
 *
 * Numbers of 64 bits are doubles from the start, and stay it in a class of their own: a literal would have its shape in common with
 * that of the struct's layout, whose members are objects, and the engine would box each number that it stores.
 *
 * @module
 */

import type { VmBind, VmBindOp } from "./uapi.ts";

/** A decoded `drm_nouveau_vm_bind`. */
export class VmBindRecord implements VmBind {
  /** See {@link VmBind}. */
  opCount = 0;
  /** See {@link VmBind}. */
  flags = 0;
  /** See {@link VmBind}. */
  waitCount = 0;
  /** See {@link VmBind}. */
  sigCount = 0;
  /** See {@link VmBind}. */
  waitPtr = 0.5;
  /** See {@link VmBind}. */
  sigPtr = 0.5;
  /** See {@link VmBind}. */
  opPtr = 0.5;
}

/** A decoded `drm_nouveau_vm_bind_op`. */
export class VmBindOpRecord implements VmBindOp {
  /** See {@link VmBindOp}. */
  op = 0;
  /** See {@link VmBindOp}. */
  flags = 0;
  /** See {@link VmBindOp}. */
  handle = 0;
  /** See {@link VmBindOp}. */
  pad = 0;
  /** See {@link VmBindOp}. */
  addr = 0.5;
  /** See {@link VmBindOp}. */
  boOffset = 0.5;
  /** See {@link VmBindOp}. */
  range = 0.5;
}
