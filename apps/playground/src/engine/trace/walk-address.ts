/** An address behind an ioctl: what is mapped there, what the GPU gets, and the walk level by level with every bit of each entry named. */

import { type DescribedField, describeEntry, descriptor, walkPath } from "@vmbind/mmu";
import type { Turn } from "../turn.ts";
import { openTrace } from "./library.ts";
import type { MomentRequest } from "./list-mappings.ts";

/** Which address. */
export interface WalkRequest extends MomentRequest {
  /** Virtual address in bytes. */
  readonly va: number;
}

/** An entry that the walk reads. */
interface ToldEntry {
  /** The format's own number of the level. */
  readonly level: number;
  /** Bits of the address that pick the entry, e.g. `47:39`. */
  readonly indexBits: string;
  /** Number of the entry. */
  readonly index: number;
  /** Entries of the table. */
  readonly entries: number;
  /** Bytes that it covers. */
  readonly entryBytes: number;
  /** Physical address of the entry. */
  readonly address: number;
  /** Of an entry with two halves. */
  readonly half: "first" | "second" | null;
  /** Whether the table is compact. */
  readonly isCompact: boolean;
  /** The 64 bits in hex. */
  readonly entry: string;
  /** `empty`, `table`, `page`, `null`. */
  readonly kind: string;
  readonly fields: readonly DescribedField[];
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
  const { memory, format, root } = vm.addressSpace;
  const entries = walkPath(memory, format, root, va).map(
    ({ geometry, index, half, address, lo, hi, kind }): ToldEntry => {
      const { level, shift, entries, entryBytes, isCompact } = geometry;
      return {
        level,
        indexBits: `${shift + Math.log2(entries) - 1}:${shift}`,
        index,
        entries,
        entryBytes,
        address,
        half,
        isCompact,
        entry: `0x${descriptor(lo, hi).toString(16).padStart(16, "0")}`,
        kind,
        fields: describeEntry(format, geometry, lo, hi),
      };
    },
  );
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
    format: format.name,
    entries,
    kind,
    pa,
    sizeBytes,
    rights: words.filter(Boolean).join(", "),
    mappings,
  };
}
