/**
 * What results come down to: sentences, the answer, a verdict for each strategy, and what counts may be as time. Plain objects, as
 * results are.
 *
 * @module
 */

/** A sentence computed from the results. */
export interface LabFinding {
  /** Name in kebab-case, the same everywhere. */
  id: string;
  /** The sentence. */
  text: string;
  /** The figures in it, in the order in which they appear. */
  values: number[];
}

/** The short answer: what a resource takes under each strategy. */
export interface Answer {
  /** The workload that it is about; empty when nothing was run. */
  workload: string;
  /** What was done, in a few words. */
  about: string;
  /** Names of the figures by which strategies are held against each other. */
  deciding: string[];
  /** One for each strategy. */
  rows: AnswerRow[];
  /** Strategies that no other beats in all deciding figures. */
  unbeaten: string[];
  /** A sentence for each deciding figure, and one for who is not beaten; empty for less than two strategies. */
  lines: LabFinding[];
}

/** What it takes a strategy. */
export interface AnswerRow {
  /** Its name. */
  strategy: string;
  /** Whether its ioctls are generated though those of others are recorded: nobody has sent them yet. */
  generated: boolean;
  /** Figures by name; null for what it cannot do. */
  values: Record<string, number | null>;
  /** Each of them over the least of all strategies that is not 0; those that are 0 or null are left out. */
  factors: Record<string, number>;
}

/** What is to be known of a strategy before one decides for it. */
export interface StrategyVerdict {
  /** Name of the strategy. */
  strategy: string;
  /**
   * Whether accounting or reference counts are wrong with it: memory that no file's statistics show, or mappings of unbound
   * addresses that outlive their resource.
   */
  astray: boolean;
  /**
   * One sentence each, those without data left out: `pays` (who pays what when), `memory` (what is behind it, and who sees that in
   * statistics), `references` (what it holds), `left` (what outlives the resource), `locks` (what a submit must lock) and `seen`
   * (what others see of it).
   */
  lines: LabFinding[];
}

/** From the least to the most that counts can mean, microseconds. */
export interface TimeRange {
  /** At least. */
  low: number;
  /** At most. */
  high: number;
}

/** What a workload may take under a strategy, by a model of stated constants. Microseconds, at least and at most. */
export interface TimeEstimate {
  /** Name of the workload. */
  workload: string;
  /** Name of the strategy. */
  strategy: string;
  /** Creating its resources; absent without such a phase. */
  create?: TimeRange;
  /** All of it but opening the device. */
  whole: TimeRange;
}
