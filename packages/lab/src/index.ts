/**
 * The laboratory: workloads, strategies, and what they cost.
 *
 * @packageDocumentation
 */

export { answerOf, DECIDING, type DecidingFigure, QUESTION_WORKLOAD } from "./answer.ts";
export {
  type Comparison,
  compare,
  jobGroups,
  type LeftOutCell,
  type OnDone,
  runComparison,
} from "./compare/comparison.ts";
export {
  type ComparePlan,
  type CompareRequest,
  type GeneratedWorkload,
  planComparison,
  workloadNames,
} from "./compare/plan.ts";
export type {
  Answer,
  AnswerRow,
  LabFinding,
  StrategyVerdict,
  TimeEstimate,
  TimeRange,
} from "./conclusions.ts";
export { DRIVERS, lensOf, replayTrace } from "./drivers.ts";
export {
  doJob,
  type Engine,
  type JobMessage,
  LocalEngine,
  type Port,
  PortEngine,
  serveEngine,
} from "./engine/engine.ts";
export { jobWork } from "./engine/job-work.ts";
export { type JobKind, type JobResult, type Jobs, type JobTask, jobsOf } from "./engine/jobs.ts";
export { type JobFailure, type JobOutcome, outcomeOf, unwrap } from "./engine/outcome.ts";
export { experiments } from "./experiments/experiments.ts";
export type { ArrayExperiment, DummyExperiment, LabExperiments, PostedRepeat } from "./experiments/result.ts";
export { type FindingsData, findings } from "./findings.ts";
export { account } from "./measure/accounting.ts";
export { type MeasureOptions, measure } from "./measure/cost.ts";
export { measureCell, SHOWN_FIGURES } from "./measure/generated.ts";
export type { SweepFigures } from "./measure/sweep-figures.ts";
export { type AgreementRow, type AnswerWord, agreement, wordOf } from "./operations/agreement.ts";
export {
  ANSWER_COSTS,
  type AnswerCost,
  type AnswerCostName,
  type CallAnswer,
  type MappingAnswer,
  type OperationAnswer,
  type RangeAnswer,
  type SightAnswer,
  type SightRun,
  type StrategyAnswer,
} from "./operations/answer.ts";
export {
  type AccessOperation,
  type BindOperation,
  type MapOperation,
  type MemoryOperation,
  type NamedOperation,
  type OpAddress,
  type Operation,
  OperationError,
  type OpMemory,
  type OpPlace,
  type RangeOperation,
  type SubmitOperation,
  type VmBindOperation,
} from "./operations/operation.ts";
export { type AnswerOptions, answerOperations } from "./operations/operation-run.ts";
export { OperationScript, type ScriptHost, ScriptMemory, ScriptRange } from "./operations/script.ts";
export { permutation, xorshift64 } from "./random.ts";
export { imageFindings } from "./recorded/image-findings.ts";
export { openStrategyTrace, type TraceLibrary, WORKLOADS } from "./recorded/library.ts";
export { CREATE_METRICS, METRICS, type Metric, replayRecorded, type TraceRow } from "./recorded/recorded.ts";
export type {
  AccessResult,
  AccountingFigures,
  AccountingMoment,
  AccountingResult,
  CostFigures,
  CostResult,
  GpuView,
  HeldObject,
  LabResult,
  LeafCount,
  LeafRun,
  SemanticsAnswer,
  SemanticsDetail,
  SharedFigure,
} from "./result.ts";
export { type Question, UNBOUND_QUESTIONS, type Verdict } from "./semantics/questions.ts";
export { CHANGE_QUESTIONS } from "./semantics/questions-changes.ts";
export { askAll, QUESTIONS } from "./semantics/semantics.ts";
export type { BindEncoder } from "./strategy/bind-encoder.ts";
export { blamed } from "./strategy/blame.ts";
export { arraysOfCall, mustIssue } from "./strategy/calls.ts";
export { strategyFor } from "./strategy/fine.ts";
export { DEFAULT_KERNEL, underKernel } from "./strategy/kernel.ts";
export {
  type Decoded,
  decodeCalls,
  type LoweredArray,
  type LoweredCall,
  type LoweredOp,
  type Place,
} from "./strategy/lowered-call.ts";
export { type LoweredTrace, lowerToTrace } from "./strategy/lowered-trace.ts";
export { onDevice } from "./strategy/on-device.ts";
export { Proposal, type ProposalOrigin, type ProposalWords } from "./strategy/proposal.ts";
export { RefusedError } from "./strategy/refused.ts";
export { type RunOptions, runWorkload, StrategyRun, startRun } from "./strategy/run.ts";
export type { RunCall, RunObserver, SparseResource } from "./strategy/run-data.ts";
export type {
  AccountedPair,
  CallSync,
  EstimateClass,
  Issue,
  MemoryObject,
  Neighbour,
  OwnExperiments,
  PinnedStrategy,
  Placement,
  ReadArray,
  SessionCounters,
  SessionFile,
  SessionVm,
  Shrinker,
  SparseSession,
  SparseStrategy,
  StrategyLook,
  StrategyModule,
  TraceSource,
  VmAccounts,
  Where,
  Work,
  WorkEstimate,
} from "./strategy/strategy.ts";
export {
  inTable,
  refOf,
  type StrategyFinder,
  type StrategyRef,
  withStrategy,
} from "./strategy/strategy-ref.ts";
export { EXAMPLE_STRATEGY, SPARSE_STRATEGIES, sparseStrategy } from "./strategy/table.ts";
export { VaHeap, type VaRoom } from "./strategy/va-heap.ts";
export { estimatedWork, measureWork } from "./strategy/work-estimate.ts";
export {
  type CurvePoint,
  type Growth,
  type GrowthExponent,
  type GrowthStretch,
  growthOf,
  lawOf,
} from "./sweep/growth.ts";
export { measurePoint, type PointRow } from "./sweep/point.ts";
export {
  AXES,
  type Axis,
  FRACTION_BYTES,
  FULL_GRID,
  knobsAt,
  type LeftOutPoint,
  OFFSET_BYTES,
  type PointKnobs,
  planSweep,
  SMALL_GRID,
  type SweepGrid,
  type SweepPlan,
  type SweepPoint,
  type SweptWorkload,
  TILE_BYTES,
  valueInWords,
  WORK_MAX,
} from "./sweep/points.ts";
export type { Sweep, SweepKnobs } from "./sweep/result.ts";
export {
  knobsOf,
  measurePoints,
  pointGroups,
  type SweepRequest,
  type SweptUnder,
  sweep,
  sweepResult,
} from "./sweep/run.ts";
export { TIME_CONSTANTS, type TimeConstant, timeEstimates, timeOf } from "./time.ts";
export { accountingAnswer, type VerdictData, verdicts } from "./verdicts.ts";
export { type BufferStreamOptions, bufferStream } from "./workload/buffer-stream.ts";
export { BUILTIN_WORKLOADS, type BuiltinWorkload } from "./workload/builtin.ts";
export { IMAGE_TILE_BYTES, type ImageShape, SparseImage, type TileBox } from "./workload/image.ts";
export { imageMips } from "./workload/image-mips.ts";
export { LAB_WORKLOADS, labWorkloads } from "./workload/lab-workloads.ts";
export { type LiftedSteps, stepsInBlocks, stepsOfLifted } from "./workload/lifted-workload.ts";
export { type ManySmallOptions, manySmall } from "./workload/many-small.ts";
export { ORDERS, type ParametricOptions, parametric } from "./workload/parametric.ts";
export { withProbes } from "./workload/probes.ts";
export { checkSteps, parseSteps, parseWorkload, type WorkloadFile } from "./workload/schema.ts";
export { holdStrategyWork } from "./workload/work-budget.ts";
export {
  type AllocateStep,
  type BindStep,
  type CreateStep,
  type DestroyStep,
  type EvictStep,
  type FreeStep,
  type MemoryRange,
  type ReadStep,
  requiredBytes,
  type SparseElement,
  type Step,
  type SubmitStep,
  type WaitIdleStep,
  type Workload,
  WorkloadError,
  type WriteStep,
} from "./workload/workload.ts";
export {
  inFile,
  type MadeWorkload,
  madeWorkload,
  resolveWorkload,
  type WorkloadRef,
  workloadOfFile,
} from "./workload/workload-ref.ts";
