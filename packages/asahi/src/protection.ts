/**
 * Attribute bits of the leaves that the driver writes. VM_BIND makes three of the protections that UAT knows.
 *
 * @module
 */

import { UAT_PROT, uatLeafHi, uatLeafLo } from "@vmbind/mmu";
import { BIND_READ, BIND_WRITE } from "./uapi.ts";

const USER = true;
/** Indexed by the READ and WRITE bits of the bind flags. */
const LO = new Int32Array((BIND_READ | BIND_WRITE) + 1);
const HI = new Int32Array(LO.length);
for (const [access, prot] of [
  [BIND_READ, UAT_PROT.gpuReadOnly],
  [BIND_WRITE, UAT_PROT.gpuWriteOnly],
  [BIND_READ | BIND_WRITE, UAT_PROT.gpuReadWrite],
] as const) {
  LO[access] = uatLeafLo(prot, USER);
  HI[access] = uatLeafHi(prot);
}

/**
 * @param access - READ, WRITE or both, of the bind flags
 * @returns low half of a user leaf without its address
 */
export function leafLo(access: number): number {
  return LO[access] as number;
}

/**
 * @param access - READ, WRITE or both, of the bind flags
 * @returns high half of a user leaf without its address
 */
export function leafHi(access: number): number {
  return HI[access] as number;
}

/** Low half of a leaf of the firmware's half: memory that only the firmware reaches. */
export const FIRMWARE_LEAF_LO: number = uatLeafLo(UAT_PROT.firmwareReadWrite, !USER);
/** High half of such a leaf. */
export const FIRMWARE_LEAF_HI: number = uatLeafHi(UAT_PROT.firmwareReadWrite);
