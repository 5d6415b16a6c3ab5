/**
 * Unmodified programs on the driver models: a preload shim, the server behind it, and the recorder.
 *
 * @packageDocumentation
 * @mergeModuleWith <project>
 */

export { checkCalls, type Leftover, leftoverOf, watchLeftovers } from "./check.ts";
export { DEFAULT_DEVICE, hardwareDriver, LIVE_DRIVERS, liveDevices } from "./drivers/table.ts";
export * from "./hardware.ts";
export { CannotStart, type CommandEnd, type CommandOptions, runCommand } from "./launch.ts";
export { logCalls } from "./log.ts";
export type { IoctlResult, SeenIoctl, ServerObserver } from "./observer.ts";
export {
  type IoctlTimes,
  type RecordEnd,
  type RecordOptions,
  recordCommand,
  type StrangeGpu,
} from "./record-session.ts";
export { type RecordedFile, Recorder, type RecorderOptions } from "./recorder.ts";
export { LiveServer, type ServerOptions } from "./server.ts";
export { LiveSession, type SessionOptions } from "./session.ts";
export { MemoryFull } from "./shared-memory.ts";
export { NoShim, type ShimKind, shimFile, shimSources } from "./shim.ts";
export { headerOf, recordCalls, TraceFile } from "./trace-file.ts";
