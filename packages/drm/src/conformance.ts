/**
 * How a conformance vector is held against a model: closed shapes of cases, and a comparison that finds the first difference.
 * It stands here because every package with vectors needs it, whatever it models.
 *
 * @module
 */

export type {
  Mismatch,
  RecordedArray,
  RecordedIoctl,
  RecordedMark,
  TraceFormat,
  TraceVectorCheck,
  VectorCheck,
  VectorHeader,
} from "./conformance/check.ts";
export { closed, mismatch } from "./conformance/check.ts";
export * from "./conformance/shape.ts";
export { isHexOf, type U64Halves, u64Halves, u64Of } from "./conformance/u64.ts";
