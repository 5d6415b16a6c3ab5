/** An address behind an ioctl: what is mapped there, what the GPU gets, and the walk level by level with every bit of each entry named. */

import { type ToldEntry, toldEntries } from "../told-entries.ts";
import type { Turn } from "../turn.ts";
import { openTrace } from "./library.ts";
import type { MomentRequest } from "./list-mappings.ts";

/** Which address. */
export interface WalkRequest extends MomentRequest {
  /** Virtual address in bytes. */
  readonly va: number;
}

/** See the module. */
export interface WalkedAddress {
  readonly va: number;
  readonly isThere: boolean;
  /** Name of the format. */
  readonly format: string;
  readonly entries: readonly ToldEntry[];
  /** Where it leads. */
  readonly kind: "page" | "null" | "fault";
  /** Physical address; 0 but for a page. */
  readonly pa: number;
  /** Bytes of the leaf. */
  readonly sizeBytes: number;
  readonly rights: string;
  /** What is mapped there, as the driver has it; more than one where mappings lie over each other. */
  readonly mappings: readonly ToldMapping[];
}

/** A mapping. */
interface ToldMapping {
  readonly addr: number;
  readonly range: number;
  readonly kind: string;
  /** `BO 6`, or empty. */
  readonly object: string;
  readonly offset: number;
}

const NOWHERE: Omit<WalkedAddress, "va" | "isThere"> = {
  format: "",
  entries: [],
  kind: "fault",
  pa: 0,
  sizeBytes: 0,
  rights: "",
  mappings: [],
};

/**
 * @param request - which address, behind which ioctl
 * @param turn - of the request
 */
export async function walkAddress(request: WalkRequest, turn: Turn): Promise<WalkedAddress> {
  const { seq, file, vm: id, va } = request;
  const cursor = await openTrace(request.trace).at(seq, "behind", turn);
  const vm = cursor.device.vm(file, id);
  if (vm === undefined) return { ...NOWHERE, va, isThere: false };
  const entries = toldEntries(vm.addressSpace, va);
  const { kind, pa, sizeBytes, readable, writable, executable } = vm.addressSpace.walk(va);
  const mappings: ToldMapping[] = [];
  for (const { addr, range, kind, gem, bo, offset } of vm.mappings()) {
    if (addr > va || va >= addr + range) continue;
    mappings.push({
      addr,
      range,
      kind,
      object: bo === 0 && gem === null ? "" : cursor.nameOf(gem, file),
      offset,
    });
  }
  const words = [readable ? "load" : "", writable ? "store" : "", executable ? "fetch" : ""];
  return {
    va,
    isThere: true,
    format: vm.addressSpace.format.name,
    entries,
    kind,
    pa,
    sizeBytes,
    rights: words.filter(Boolean).join(", "),
    mappings,
  };
}
