/**
 * How the numbers of a story are counted.
 *
 * @module
 */

import type { Moment, TraceStory } from "@vmbind/trace";
import type { FieldGroup, FieldMethod } from "../report/field.ts";

/** Names of the members that are numbers. */
type Numeric<T> = { [K in keyof T]-?: number extends T[K] ? K : never }[keyof T] & string;

const MOMENT: Record<Numeric<Moment>, FieldMethod> = {
  seq: { title: "number", unit: "count", how: "Counts the ioctls of the trace from 0." },
  ret: { title: "returned", unit: "count", how: "What the model returned: 0 or a negative errno." },
  opCount: { title: "operations", unit: "count", how: "Operations of a VM_BIND, from its bytes." },
  stepCount: {
    title: "steps",
    unit: "count",
    how: "Steps of GPUVM's split and merge that the operations cause.",
  },
  leafRunCount: {
    title: "runs of leaves",
    unit: "count",
    how: "Runs of page-table leaves of one size that came, went or changed, found by walking the tables before and after.",
  },
  pteWrites: { title: "leaf entries written", unit: "count", how: "Leaf entries that the call wrote." },
  pteClears: { title: "leaf entries cleared", unit: "count", how: "Leaf entries that the call set to zero." },
  tablesAllocated: {
    title: "tables made",
    unit: "count",
    how: "Page-table pages that the call took into use.",
  },
  tablesFreed: { title: "tables freed", unit: "count", how: "Page-table pages that the call gave back." },
  tlbInvalidations: {
    title: "TLB invalidations",
    unit: "count",
    how: "TLB invalidation commands of the call.",
  },
  gpuvasLive: { title: "mappings", unit: "count", how: "Mappings of all VMs after the call." },
  tablesLive: { title: "tables", unit: "count", how: "Page-table pages in use after the call." },
};

/** Fields of a story. */
export const EXPLORE_GROUPS: readonly FieldGroup[] = [
  { id: "moment", title: "Moments of a trace (explore)", paths: ["moments.*.*"], fields: MOMENT },
  {
    id: "story",
    title: "A trace (explore)",
    paths: ["*"],
    fields: {
      differenceCount: {
        title: "differences",
        unit: "count",
        how: "Answers, bytes, mappings and stores in which the model differs from the recording.",
      },
    } satisfies Record<Numeric<TraceStory>, FieldMethod>,
  },
];
