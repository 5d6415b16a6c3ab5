/**
 * Unmodified programs on the driver models: a preload shim, the server behind it, and the recorder.
 *
 * @packageDocumentation
 */

export { type CallContext, LiveCall, type MadeDescriptor, O_CLOEXEC, type StandIn } from "./call.ts";
export { checkCalls, type Leftover, leftoverOf, watchLeftovers } from "./check.ts";
export { type ClientMapping, ClientProcess } from "./client-process.ts";
export { allOf } from "./core/fences.ts";
export { SwSyncTimeline } from "./core/sw-sync.ts";
export { type Descriptor, Descriptors } from "./descriptors.ts";
export { DEFAULT_DEVICE, hardwareDriver, LIVE_DRIVERS, liveDevices } from "./drivers/table.ts";
export * from "./hardware.ts";
export { CannotStart, type CommandEnd, type CommandOptions, runCommand } from "./launch.ts";
export { logCalls } from "./log.ts";
export { fillFolder, makeFolder, removeFolder } from "./node-folder.ts";
export type { IoctlResult, SeenIoctl, ServerObserver } from "./observer.ts";
export { type Access, ProcessMemory } from "./process-memory.ts";
export type { Span } from "./ranges.ts";
export { type IoctlTimes, type RecordEnd, type RecordOptions, recordCommand } from "./record-session.ts";
export { type BegunCall, type RecordedFile, Recorder, type RecorderOptions } from "./recorder.ts";
export type { RecordedCall, RecordingRules } from "./recording-rules.ts";
export { monotonicNow, Scheduler, type Wait, type Waiting } from "./scheduler.ts";
export { LiveServer, type ServerOptions } from "./server.ts";
export { LiveSession, type SessionOptions } from "./session.ts";
export { MemoryFull, type ProcessPage, SharedMemory } from "./shared-memory.ts";
export { NoShim, type ShimKind, shimFile, shimSources } from "./shim.ts";
export { headerOf, recordCalls, TraceFile } from "./trace-file.ts";
