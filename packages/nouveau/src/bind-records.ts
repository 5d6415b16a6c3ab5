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
  opCount = 0;
  flags = 0;
  waitCount = 0;
  sigCount = 0;
  waitPtr = 0.5;
  sigPtr = 0.5;
  opPtr = 0.5;
}

/** A decoded `drm_nouveau_vm_bind_op`. */
export class VmBindOpRecord implements VmBindOp {
  op = 0;
  flags = 0;
  handle = 0;
  pad = 0;
  addr = 0.5;
  boOffset = 0.5;
  range = 0.5;
}
