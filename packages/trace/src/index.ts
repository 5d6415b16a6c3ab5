/**
 * Recorded ioctls: the format, replay on a model, lifting, linting and differences of traces.
 *
 * @packageDocumentation
 */

export * from "./budget.ts";
export * from "./call-bytes.ts";
export * from "./call-reader.ts";
export * from "./check/arguments.ts";
export * from "./check/checked-run.ts";
export * from "./check/checker.ts";
export * from "./check/invariants.ts";
export * from "./check/leaks.ts";
export * from "./check/mappings.ts";
export * from "./check/pace.ts";
export * from "./check/results.ts";
export * from "./check/stores.ts";
export * from "./cost.ts";
export type { TraceCosts } from "./cost-book.ts";
export * from "./device.ts";
export * from "./diff/diff.ts";
export type { DiffItem } from "./diff/items.ts";
export type { StateDifference, StateSide } from "./diff/state.ts";
export type { Difference } from "./differences.ts";
export * from "./event.ts";
export * from "./gunzip.ts";
export * from "./header-reader.ts";
export { bytesOf, hexOf } from "./hex-bytes.ts";
export * from "./input-error.ts";
export * from "./json-text.ts";
export * from "./jsonl.ts";
export * from "./lens.ts";
export * from "./lift/canonical.ts";
export * from "./lift/lift.ts";
export * from "./lift/lifted.ts";
export * from "./lift/lifter.ts";
export * from "./lint/example.ts";
export * from "./lint/finding.ts";
export * from "./lint/lint-trace.ts";
export * from "./lint/linter.ts";
export * from "./lint/rule.ts";
export * from "./lint/rules.ts";
export * from "./lint/sarif.ts";
export * from "./model/counts.ts";
export * from "./model/intervals.ts";
export type { ByKind } from "./model/kind-counts.ts";
export * from "./model/plain-space.ts";
export * from "./phase.ts";
export * from "./read.ts";
export * from "./record.ts";
export * from "./replay.ts";
export * from "./run.ts";
export * from "./seal.ts";
export * from "./space/piece.ts";
export * from "./space/resource.ts";
export * from "./space/vm-space.ts";
export * from "./space/world.ts";
export * from "./story/bind-watch.ts";
export * from "./story/leaf-diff.ts";
export * from "./story/steps.ts";
export * from "./visible.ts";
export * from "./words.ts";
export * from "./write.ts";
