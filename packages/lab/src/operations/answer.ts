/**
 * What a driver answers to a list of operations, as plain data: it goes from a worker to a page.
 *
 * @module
 */

/** Counters of an answer, in the order of tables; a driver that has no such counter leaves it out. */
export const ANSWER_COSTS = [
  "ioctls",
  "bindOps",
  "payloadBytes",
  "mapSteps",
  "remapSteps",
  "unmapSteps",
  "pteWrites",
  "pteClears",
  "tablesAllocated",
  "tablesFreed",
  "tlbInvalidations",
] as const;

/** Name of a counter of {@link ANSWER_COSTS}. */
export type AnswerCostName = (typeof ANSWER_COSTS)[number];

/** What an operation, or all of them, cost. */
export type AnswerCost = Readonly<Partial<Record<AnswerCostName, number>>>;

/** One ioctl of an operation. */
export interface CallAnswer {
  /** Name, e.g. `PANTHOR_VM_BIND`. */
  readonly ioctl: string;
  /** What it says, in words; empty where its operations say it all. */
  readonly text: string;
  /** Its name where it was refused, e.g. `EINVAL`; null when all went well. */
  readonly errno: string | null;
  /** The rule that it broke; empty when all went well. */
  readonly reason: string;
  /** Operations in words, each followed by its split and merge steps, those by two spaces further in; the first ones. */
  readonly lines: readonly string[];
  /** How the page tables changed, in words: `+ 47 x 2 MiB [0x..., 0x...)`; the first runs. */
  readonly leaves: readonly string[];
}

/** What the GPU finds at an address. */
export interface SightAnswer {
  /** What it did there. */
  readonly access: "read" | "write";
  /** The address. */
  readonly va: number;
  /**
   * - `memory`: a page of an object that the program allocated
   * - `driver`: a page of the driver's or the user-mode driver's own, such as a dummy or a scratch page
   * - `null`: an entry that stands for no memory
   * - `fault`: nothing
   */
  readonly behind: "memory" | "driver" | "null" | "fault";
  /** The object and the offset into it, `a + 0x1000`; the role of the driver's own, `zero page`; empty for none. */
  readonly object: string;
  /** What was loaded; what reached the memory of a store, null where it got lost; null for a fault that stops the job. */
  readonly value: number | null;
  /** The fault in words; empty for none. */
  readonly fault: string;
  /** The fault stops the job; a GPU may also report one and go on, with 0 for what was to be loaded. */
  readonly stops: boolean;
}

/** One operation on one driver. */
export interface OperationAnswer {
  /**
   * - `done`
   * - `refused`: the driver, the user-mode driver or the laboratory did not do it; {@link OperationAnswer.reason} says why
   * - `left-out`: it is for another driver, or this one has no such thing
   */
  readonly outcome: "done" | "refused" | "left-out";
  /** Who refused it; null when nobody did. */
  readonly by: "driver" | "user-mode driver" | "laboratory" | null;
  /** Name of the errno where the driver refused it. */
  readonly errno: string | null;
  /** The rule that it broke, or why it was left out; empty when all went well. */
  readonly reason: string;
  /** Index of the operation of `vmBind` that failed; null for none. */
  readonly failed: number | null;
  /** Where it is: the address of a new range or of new memory, of a mapping or of an access; null for none. */
  readonly va: number | null;
  /** Its first ioctls. */
  readonly calls: readonly CallAnswer[];
  /** How many ioctls it has. */
  readonly callCount: number;
  /** What it cost. */
  readonly cost: AnswerCost;
  /** What the GPU found, for accesses. */
  readonly sight: SightAnswer | null;
}

/** A mapping, or a sparse region, that is there in the end. */
export interface MappingAnswer {
  /** First byte. */
  readonly addr: number;
  /** Bytes. */
  readonly range: number;
  /** How it is backed: `bo`, `sparse`, `null`, ..., or `region` for what is no mapping. */
  readonly kind: string;
  /** What it shows: `a + 0x1000`, `zero page`; empty for nothing. */
  readonly object: string;
}

/** Leaves of one size side by side with the same behind them, or a gap between such. */
export interface SightRun {
  /** First byte. */
  readonly addr: number;
  /** Bytes. */
  readonly bytes: number;
  /** Leaf entries; 0 for a gap. */
  readonly leaves: number;
  /** Bytes of one leaf; 0 for a gap. */
  readonly leafBytes: number;
  /** As in {@link SightAnswer}. */
  readonly behind: SightAnswer["behind"];
  /** Name of the object, `zero page`; empty for none. */
  readonly object: string;
}

/** A range that is there in the end, as the GPU sees it. */
export interface RangeAnswer {
  /** Its name. */
  readonly name: string;
  /** `sparse` or plain. */
  readonly kind: "sparse" | "range";
  /** Where it is looked at: where shaders read it. */
  readonly va: number;
  /** Bytes. */
  readonly bytes: number;
  /** What the GPU finds, from its first byte to its last; the first runs. */
  readonly runs: readonly SightRun[];
  /** How many runs there are. */
  readonly runCount: number;
}

/** All answers of one strategy. */
export interface StrategyAnswer {
  /** Name of the strategy. */
  readonly strategy: string;
  /** Its driver. */
  readonly driver: string;
  /** The GPU. */
  readonly device: string;
  /** By operation, in order. */
  readonly operations: readonly OperationAnswer[];
  /** What all of them cost together; opening the device is left out. */
  readonly cost: AnswerCost;
  /** Mappings and sparse regions that are there in the end, ascending; the first ones. */
  readonly mappings: readonly MappingAnswer[];
  /** How many there are. */
  readonly mappingCount: number;
  /** Page-table pages of the device in the end. */
  readonly tablesLive: number;
  /** The ranges that are there in the end, in the order in which they were made. */
  readonly ranges: readonly RangeAnswer[];
}
