/**
 * What the server is made of: calls, clients and their descriptors, the memory that both sides map, the waiting calls.
 *
 * **No promise of stability:** names and signatures here change in any version, without an entry in the changelog. Programs use `.`.
 *
 * @module internals
 */

export { type CallContext, LiveCall, type MadeDescriptor, O_CLOEXEC, type StandIn } from "./call.ts";
export { type ClientMapping, ClientProcess } from "./client-process.ts";
export { allOf } from "./core/fences.ts";
export { SwSyncTimeline } from "./core/sw-sync.ts";
export { type Descriptor, Descriptors } from "./descriptors.ts";
export { fillFolder, makeFolder, removeFolder } from "./node-folder.ts";
export { type Access, ProcessMemory } from "./process-memory.ts";
export type { Span } from "./ranges.ts";
export type { BegunCall } from "./recorder.ts";
export type { RecordedCall, RecordingRules } from "./recording-rules.ts";
export { monotonicNow, Scheduler, type Wait, type Waiting } from "./scheduler.ts";
export { type ProcessPage, SharedMemory } from "./shared-memory.ts";
