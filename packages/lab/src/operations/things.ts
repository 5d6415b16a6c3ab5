/**
 * What a program has made so far, by the names that it has for it.
 *
 * @module
 */

import type { NamedBindOp, SparseMemory } from "@vmbind/drm";
import type { SparseResource } from "../strategy/run-data.ts";
import type { MemoryObject } from "../strategy/strategy.ts";
import type { OpAddress, OpMemory, RangeOperation } from "./operation.ts";

/** What a program asks for and is not there, or is more than is run. */
export class NotRun extends Error {}

/** A range that is there. */
export interface LivingRange extends Pick<SparseResource, "name" | "va" | "bytes"> {
  /** What it is. */
  readonly kind: RangeOperation["op"];
  /** Whether its addresses go back to the heap. */
  readonly isPlaced: boolean;
}

/** Ranges and memory of a program, on one device. */
export class Things {
  /** The ranges that are there, by name. */
  readonly ranges: Map<string, LivingRange> = new Map();
  /** The memory that is there, by name. */
  readonly memory: Map<string, MemoryObject> = new Map();

  /**
   * @param op - a driver's operation as a program wrote it
   * @returns it with handles and addresses in place of what the program calls them
   * @throws {@link NotRun} for what is not there
   */
  resolved(op: NamedBindOp): NamedBindOp {
    const members = Object.entries(op).map(([member, value]: [string, unknown]): [string, unknown] => {
      if (typeof value !== "object" || value === null) return [member, value];
      if ("object" in value) return [member, this.object(String(value.object)).handle];
      if ("in" in value && "offset" in value) {
        return [member, this.addressOf({ in: String(value.in), offset: Number(value.offset) })];
      }
      return [member, value];
    });
    return { ...Object.fromEntries(members), op: op.op };
  }

  /**
   * @param at - a place, or a number
   * @returns the address
   * @throws {@link NotRun} for a range that is not there
   */
  addressOf(at: OpAddress): number {
    return typeof at === "number" ? at : this.range(at.in).va + at.offset;
  }

  /**
   * @param memory - a part of an object
   * @returns it by its handle
   * @throws {@link NotRun} for memory that is not there
   */
  part({ object, offset }: OpMemory): SparseMemory {
    return { handle: this.object(object).handle, offset };
  }

  /**
   * @param name - of a range
   * @throws {@link NotRun} when it is not there
   */
  range(name: string): LivingRange {
    const found = this.ranges.get(name);
    if (!found) throw new NotRun(`${name} is not there: it was not made, or it is gone`);
    return found;
  }

  /**
   * @param name - of memory
   * @throws {@link NotRun} when it is not there
   */
  object(name: string): MemoryObject {
    const found = this.memory.get(name);
    if (!found) throw new NotRun(`${name} is not there: it was not allocated, or it is freed`);
    return found;
  }
}
