/** Requests and answers as they travel: plain data, with typed arrays handed over rather than copied. */

import type { HANDLERS } from "./handlers.ts";
import type { PROGRAM_HANDLERS } from "./programs/handlers.ts";

/** Of the page's engine, and of the one that runs programs. */
type Handlers = typeof HANDLERS & typeof PROGRAM_HANDLERS;

/** The kinds of requests. */
export type Kind = keyof Handlers & string;

/** What a request of a kind is told. */
export type RequestOf<K extends Kind> = Parameters<Handlers[K]>[0];

/** What it is answered with. */
export type AnswerOf<K extends Kind> = Awaited<ReturnType<Handlers[K]>>;

/** From the page. */
export type ToEngine =
  | { readonly id: number; readonly kind: Kind; readonly request: unknown }
  | { readonly id: number; readonly cancel: true };

/** To the page. */
export type FromEngine =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: WireError }
  | { readonly id: number; readonly progress: string };

/** An error as data. */
interface WireError {
  /** `InputError`, `AbortError`, ... */
  readonly name: string;
  /** One sentence. */
  readonly message: string;
}

/** Buffers of the typed arrays that are members of an answer: they are moved, so a handler keeps no array that it hands out. */
export function buffersOf(answer: unknown): ArrayBuffer[] {
  if (typeof answer !== "object" || answer === null) return [];
  const buffers = new Set<ArrayBuffer>();
  for (const value of Object.values(answer)) {
    if (ArrayBuffer.isView(value) && value.buffer instanceof ArrayBuffer) buffers.add(value.buffer);
  }
  return [...buffers];
}
