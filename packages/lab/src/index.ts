/**
 * The laboratory: workloads, strategies, and what they cost.
 *
 * @packageDocumentation
 * @mergeModuleWith <project>
 */

export * from "./compare/comparison.ts";
export * from "./compare/plan.ts";
export * from "./drivers.ts";
export * from "./engine/engine.ts";
export * from "./engine/jobs.ts";
export * from "./engine/outcome.ts";
export * from "./experiments/experiments.ts";
export * from "./findings.ts";
export * from "./measure/accounting.ts";
export * from "./measure/cost.ts";
export * from "./measure/generated.ts";
export * from "./random.ts";
export * from "./recorded/library.ts";
export * from "./recorded/recorded.ts";
export * from "./result.ts";
export * from "./semantics/questions.ts";
export * from "./semantics/questions-changes.ts";
export * from "./semantics/semantics.ts";
export * from "./strategy/calls.ts";
export * from "./strategy/lowered-call.ts";
export * from "./strategy/refused.ts";
export * from "./strategy/run.ts";
export * from "./strategy/strategy.ts";
export * from "./strategy/table.ts";
export * from "./strategy/va-heap.ts";
export * from "./sweep/growth.ts";
export * from "./sweep/merge.ts";
export * from "./sweep/point.ts";
export * from "./sweep/points.ts";
export * from "./sweep/result.ts";
export * from "./sweep/run.ts";
export * from "./workload/buffer-stream.ts";
export * from "./workload/builtin.ts";
export * from "./workload/lab-workloads.ts";
export * from "./workload/many-small.ts";
export * from "./workload/parametric.ts";
export * from "./workload/schema.ts";
export { holdStrategyWork } from "./workload/work-budget.ts";
export * from "./workload/workload.ts";
export * from "./workload/workload-ref.ts";
