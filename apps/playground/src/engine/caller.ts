/** The page's side of the line: numbers requests, and gives each answer to who asked. */

import { type AskOptions, type Engine, EngineError } from "./engine.ts";
import type { AnswerOf, FromEngine, Kind, RequestOf, ToEngine } from "./protocol.ts";

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: Error): void;
  progress: ((text: string) => void) | undefined;
}

/** An engine at the other end of a line. */
export class Caller implements Engine {
  readonly #send: (message: ToEngine) => void;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;

  /** @param send - takes what goes to the engine */
  constructor(send: (message: ToEngine) => void) {
    this.#send = send;
  }

  ask<K extends Kind>(kind: K, request: RequestOf<K>, options: AskOptions = {}): Promise<AnswerOf<K>> {
    const { signal, progress } = options;
    const id = this.#next++;
    return new Promise<AnswerOf<K>>((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const giveUp = (): void => {
        this.#waiting.delete(id);
        this.#send({ id, cancel: true });
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", giveUp, { once: true });
      const done = (): void => signal?.removeEventListener("abort", giveUp);
      this.#waiting.set(id, {
        resolve: (answer) => {
          done();
          resolve(answer as AnswerOf<K>);
        },
        reject: (error) => {
          done();
          reject(error);
        },
        progress,
      });
      this.#send({ id, kind, request });
    });
  }

  /** A message of the engine. */
  take(message: FromEngine): void {
    const waiting = this.#waiting.get(message.id);
    if (waiting === undefined) return;
    if ("progress" in message) {
      waiting.progress?.(message.progress);
      return;
    }
    this.#waiting.delete(message.id);
    if ("answer" in message) waiting.resolve(message.answer);
    else waiting.reject(errorOf(message.error));
  }

  /** The engine is gone: nobody answers any more. */
  fail(text: string): void {
    for (const { reject } of this.#waiting.values()) reject(new EngineError(text));
    this.#waiting.clear();
  }
}

function errorOf({ name, message }: { name: string; message: string }): Error {
  if (name === "AbortError") return new DOMException(message, name);
  return new EngineError(message);
}
