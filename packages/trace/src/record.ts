/**
 * What stands on the lines of a recorded trace (`drm-ioctl-trace` version 1): a header, then ioctls and phase marks in the order
 * of time.
 *
 * @module
 */

/** First line of a trace; further members are facts of the device and depend on the driver. */
export interface TraceHeader {
  /** Names the format. */
  format: "drm-ioctl-trace";
  /** Version of the format. */
  version: 1;
  /** Kernel driver. */
  driver: string;
  /** Where the ioctl structs are from. */
  uapi: string;
  /** User-mode driver or test suite. */
  umd: string;
  /** Device that it believed to drive. */
  device: string;
  /** What the client did. */
  workload: string;
  /** Facts of the device. */
  [fact: string]: unknown;
}

/** `umd` in the header of traces that a fuzzer wrote: malformed on purpose. */
export const FUZZ_UMD = "vmbind fuzz";

/** An array that an ioctl's argument points to. */
export interface TraceArray {
  /** Member that holds the pointer, e.g. `ops` or `ops[3].syncs`. */
  field: string;
  /** User address in bytes. */
  addr: number;
  /** Elements. */
  count: number;
  /** Bytes from one element to the next. */
  stride: number;
  /** `count` x `stride` bytes. */
  data: Uint8Array;
}

/** One recorded ioctl. */
export interface TraceIoctl {
  /** Discriminates the records. */
  kind: "ioctl";
  /** Line in the file, from 1. */
  line: number;
  /** Counts the ioctls of the file from 0. */
  seq: number;
  /** Name, e.g. `PANTHOR_VM_BIND`. */
  ioctl: string;
  /** Open file that issued it, from 0; 0 where the record does not say. */
  file: number;
  /** 32-bit request number. */
  request: number;
  /** Argument struct before the call. It may share its buffer with other records, and is not to be written. */
  argIn: Uint8Array;
  /** Argument struct after the call; it may be {@link TraceIoctl.argIn} itself where the call left that as it was. */
  argOut: Uint8Array;
  /** What its pointers point to. */
  arrays: TraceArray[];
  /** 0 or a negative errno. */
  ret: number;
}

/** A phase mark of the client, or a job submission (`exec`). */
export interface TraceMark {
  /** Discriminates the records. */
  kind: "mark";
  /** Line in the file, from 1. */
  line: number;
  /** Text of the mark. */
  mark: string;
  /** What the job did, for `exec` marks of the kernel tests. */
  exec: TraceExec | null;
}

/** Where an address landed when the recording was made. */
export interface TraceLanding {
  /** GPU address in bytes. */
  va: number;
  /** The kind of place. */
  to: "bo" | "null" | "scratch" | "fault";
  /** For `bo`: seq of the ioctl that created it. */
  gemSeq: number;
  /** For `bo`: byte offset in it. */
  offset: number;
}

/** One 32-bit store of a job. */
export interface TraceStore extends TraceLanding {
  /** Value stored. */
  value: number;
}

/** A job of the kernel tests. */
export interface TraceExec {
  /** VM id. */
  vm: number;
  /** Where the batch buffer begins. */
  batch: TraceLanding;
  /** Its stores in order. */
  stores: TraceStore[];
}

/**
 * Ioctls that follow one another, each of which succeeds, leaves its argument as it is and has one array: alike but for what that holds.
 */
export interface TraceRun {
  /** Tells it from records. */
  kind: "run";
  /** The first of them. */
  call: TraceIoctl;
  /** How many they are, at least 1. */
  calls: number;
  /** What their arrays hold, one behind the other. Overwritten once the next record is asked for. */
  bytes: Uint8Array;
}

/** A line of a trace behind the header. */
export type TraceRecord = TraceIoctl | TraceMark;

/** How long the bytes of a record are there: as long as somebody holds them, or until the next record is read. */
export type RecordLife = "kept" | "passing";

/** An opened trace. */
export interface Trace {
  /** File name without directory and extension, e.g. `panthor-sparse-buffer-100e6`. */
  name: string;
  /** Path of the file. */
  path: string;
  /** First line. */
  header: TraceHeader;
  /** The records, read as they are asked for. */
  records: AsyncIterable<TraceRecord>;
  /** The same, but some ioctls as runs; left out where there are none. Who reads it does not read {@link Trace.records}. */
  runs?: AsyncIterable<TraceRecord | TraceRun>;
}
