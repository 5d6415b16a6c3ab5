/**
 * What a replay costs: in all, by phase of the client, and inside its workload.
 *
 * @module
 */

import type { CostSchema, CostSheet } from "@vmbind/drm";
import { costBetween, PhaseCosts, snapshot } from "./cost.ts";
import { type Phase, phaseAfter } from "./phase.ts";
import type { TraceRecord } from "./record.ts";

/** The costs of a whole trace. */
export interface TraceCosts {
  /** Cost of each phase in which an ioctl was issued. */
  costByPhase: Partial<Record<Phase, CostSheet>>;
  /** Cost between the marks `workload` and `workload-end`; empty without them. */
  workloadCost: CostSheet;
  /** Cost of everything. */
  cost: CostSheet;
}

/** Books a device's counters to what the client is doing. */
export class CostBook {
  readonly #schema: CostSchema;
  readonly #counters: Readonly<CostSheet>;
  readonly #phases: PhaseCosts<Phase>;
  readonly #start: CostSheet;
  #phase: Phase = "run";
  #workloadStart: CostSheet;
  #workloadCost: CostSheet = {};

  /**
   * @param schema - of the device
   * @param counters - of a device that has run nothing yet
   */
  constructor(schema: CostSchema, counters: Readonly<CostSheet>) {
    this.#schema = schema;
    this.#counters = counters;
    this.#phases = new PhaseCosts(schema, counters);
    this.#start = snapshot(counters);
    this.#workloadStart = this.#start;
  }

  /**
   * Before a record is executed.
   *
   * @param record - the record
   */
  at(record: TraceRecord): void {
    if (record.kind !== "mark") return;
    this.#phases.close(this.#phase);
    this.#phase = phaseAfter(record.mark, this.#phase);
    if (record.mark.startsWith("workload ")) this.#workloadStart = snapshot(this.#counters);
    if (record.mark === "workload-end") {
      this.#workloadCost = costBetween(this.#schema, this.#workloadStart, this.#counters);
    }
  }

  /** @returns the costs, up to now */
  finish(): TraceCosts {
    this.#phases.close(this.#phase);
    return {
      costByPhase: this.#phases.sheets(),
      workloadCost: this.#workloadCost,
      cost: costBetween(this.#schema, this.#start, this.#counters),
    };
  }
}
