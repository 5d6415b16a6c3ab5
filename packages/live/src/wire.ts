/**
 * The wire between shim and server, as `shim/wire.h` has it: one question, one answer, numbers little endian.
 *
 * ```text
 * question  u32 bytes, op, pid, object, request, value             24 bytes, then the body
 * answer    u32 bytes, i32 ret, u32 body, spans, object, object_at, object_flags, holes    32 bytes, then body, then spans
 * span      u64 at, bytes                                          16 bytes
 * ```
 *
 * A descriptor is a number of which the low 4 bits are its kind and the next 8 a minor number: what the shim has to know to
 * answer `fstat` and `mmap` without asking.
 *
 * @module
 */

import { copyBytes } from "./byte-pool.ts";
import type { Span } from "./ranges.ts";

/** Bytes of a question without its body. */
const ASK_BYTES = 24;
const TELL_BYTES = 32;
const SPAN_BYTES = 16;

/** What a shim asks. */
export const OP = {
  /** A process begins; `value` is the process that it was forked from, or 0. */
  hello: 1,
  /** This connection is a new open file; `object` is the node's minor number, the body the socket's inode. */
  open: 2,
  /** An ioctl; the body is its argument. */
  ioctl: 3,
  /** mmap: offset, bytes, protection, flags, address. */
  mmap: 4,
  /** munmap: address, bytes. */
  munmap: 5,
  /** This connection is the descriptor that an ioctl made; the body is the socket's inode. */
  adopt: 6,
  /** What the socket with this inode is. */
  what: 7,
  /** lseek: offset, whence. */
  seek: 8,
  /** A mark for the recording. */
  mark: 9,
  /** The holes of the last answer are punched. */
  punched: 10,
  /** A descriptor of ours was closed; answered once the server knows of it. */
  closed: 13,
  /** An ioctl is about to run in the real kernel; `value` is the file descriptor. */
  before: 11,
  /** It has run: i32 result, u32 0, u64 nanoseconds, then its argument. */
  after: 12,
} as const;

/** An answer. */
export interface Tell {
  /** 0 or more, or a negative errno. */
  readonly ret: number;
  /** What comes back in place of the question's body; nothing unless given. */
  readonly body?: Uint8Array;
  /** Pieces of the shared file: what to map, or what to punch. */
  readonly spans?: readonly Span[];
  /** A descriptor; in the answer of an ioctl one to be made. */
  readonly object?: number;
  /** Byte of the argument where the number of the made descriptor goes. */
  readonly objectAt?: number;
  /** `O_CLOEXEC` and `O_NONBLOCK` of the made descriptor. */
  readonly objectFlags?: number;
  /** The spans of an mmap's answer are to be punched, and then it is to be asked again. */
  readonly holes?: boolean;
}

/**
 * @param tell - an answer
 * @returns its bytes
 */
export function tellBytes(tell: Tell): Buffer {
  const { ret, body, spans = [], object = 0, objectAt = 0, objectFlags = 0, holes = false } = tell;
  const length = body?.length ?? 0;
  const out = Buffer.allocUnsafe(TELL_BYTES + length + SPAN_BYTES * spans.length);
  out.writeUInt32LE(out.length, 0);
  out.writeInt32LE(ret, 4);
  out.writeUInt32LE(length, 8);
  out.writeUInt32LE(spans.length, 12);
  out.writeUInt32LE(object, 16);
  out.writeUInt32LE(objectAt, 20);
  out.writeUInt32LE(objectFlags, 24);
  out.writeUInt32LE(holes ? 1 : 0, 28);
  if (body !== undefined) out.set(body, TELL_BYTES);
  let at = TELL_BYTES + length;
  for (const span of spans) {
    writeNumber(out, at, span.at);
    writeNumber(out, at + 8, span.bytes);
    at += SPAN_BYTES;
  }
  return out;
}

/** A question. */
export interface Ask {
  /** One of {@link OP}. */
  readonly op: number;
  /** Process that asks. */
  readonly pid: number;
  /** Descriptor that it is about, or 0. */
  readonly object: number;
  /** 32-bit request number of an ioctl. */
  readonly request: number;
  /** Depends on the op. */
  readonly value: number;
  /** A copy of the body, which is the asker's no more. */
  readonly body: Uint8Array;
}

/** Cuts what a socket receives into questions. */
export class AskReader {
  #pending: Buffer | null = null;

  /**
   * @param chunk - received bytes; what is kept of them is copied
   * @param each - gets every question that is whole now
   */
  take(chunk: Buffer, each: (ask: Ask) => void): void {
    let data = this.#pending === null ? chunk : Buffer.concat([this.#pending, chunk]);
    while (data.length >= ASK_BYTES) {
      const bytes = data.readUInt32LE(0);
      if (data.length < bytes || bytes < ASK_BYTES) break;
      each({
        op: data.readUInt32LE(4),
        pid: data.readUInt32LE(8),
        object: data.readUInt32LE(12),
        request: data.readUInt32LE(16),
        value: data.readUInt32LE(20),
        body: copyBytes(data.subarray(ASK_BYTES, bytes)),
      });
      data = data.subarray(bytes);
    }
    this.#pending = data.length > 0 ? Buffer.from(data) : null;
  }
}

/**
 * @param bytes - of a body
 * @param at - byte where a u64 begins
 * @returns it; exact below 2^53
 */
export function readNumber(bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}

/**
 * @param bytes - to write into
 * @param at - byte where the u64 begins
 * @param value - an integer below 2^53
 */
function writeNumber(bytes: Uint8Array, at: number, value: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint32(at, value % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}
