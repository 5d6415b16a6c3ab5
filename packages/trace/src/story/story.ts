/**
 * A trace as a story: what each ioctl said, did and left mapped, ready for a page.
 *
 * The mappings of every moment would be too much; each moment keeps those that came and went, and a page that plays them
 * forward from the start has every moment.
 *
 * @module
 */

import type { Action } from "../lens.ts";
import type { Phase } from "../phase.ts";

/** A trace, replayed. */
export interface TraceStory {
  /** Name of the trace. */
  trace: string;
  /** Kernel driver. */
  driver: string;
  /** User-mode driver or test suite. */
  umd: string;
  /** Device that it believed to drive. */
  device: string;
  /** Workload. */
  workload: string;
  /** Which quirks the model had, in words. */
  quirks: string;
  /** ioctls that the model answered differently from the recording, and other differences. */
  differenceCount: number;
  /** The first of them in words. */
  differences: string[];
  /** Kinds of mappings; mappings name them by index. */
  kinds: string[];
  /** Places of the address spaces at which there ever is a mapping, by VM and address. */
  regions: Region[];
  /** The ioctls in order. */
  moments: Moment[];
}

/** A place in an address space. */
export interface Region {
  /** VM id. */
  vm: number;
  /** First byte. */
  addr: number;
  /** Bytes. */
  range: number;
}

/** A mapping: VM id, address, bytes, index of its kind, GEM handle (0 for none), offset into the object. */
export type MappingTuple = [
  vm: number,
  addr: number,
  range: number,
  kind: number,
  bo: number,
  offset: number,
];

/** One ioctl. */
export interface Moment {
  /** Counts the ioctls of the trace from 0. */
  seq: number;
  /** Name. */
  ioctl: string;
  /** What it is about. */
  what: Action["kind"];
  /** What it says. */
  text: string;
  /** Phase of the client. */
  phase: Phase;
  /** Marks between the ioctl before and this one. */
  marks: string[];
  /** What the model returned: 0 or a negative errno. */
  ret: number;
  /** Why it was refused, empty if it was not. */
  reason: string;
  /** Operations, for VM_BIND. */
  opCount: number;
  /** Split and merge steps. */
  stepCount: number;
  /** Operations with their steps in words, the first ones. */
  lines: string[];
  /** How the page tables changed, in words, the first runs. */
  leaves: string[];
  /** Runs of leaves that changed. */
  leafRunCount: number;
  /** Leaf entries written. */
  pteWrites: number;
  /** Leaf entries cleared. */
  pteClears: number;
  /** Page-table pages taken into use. */
  tablesAllocated: number;
  /** Page-table pages given back. */
  tablesFreed: number;
  /** TLB invalidation commands. */
  tlbInvalidations: number;
  /** Mappings of all VMs afterwards. */
  gpuvasLive: number;
  /** Page-table pages in use afterwards. */
  tablesLive: number;
  /** Mappings that came. */
  added: MappingTuple[];
  /** Mappings that went: VM id and address. */
  removed: [vm: number, addr: number][];
}
