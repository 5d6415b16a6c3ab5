/** The engine's inside: requests wait for their turn, one is answered at a time, one that was given up makes room. */

import type { FromEngine, Kind, ToEngine } from "./protocol.ts";
import type { Turn } from "./turn.ts";

/** Answers requests, by kind; each is given only requests of its own kind. */
export type HandlerTable = Readonly<Record<string, (request: never, turn: Turn) => unknown>>;

type Handler = (request: unknown, turn: Turn) => unknown;

/** Takes messages in, sends messages out. */
export class EngineQueue {
  readonly #handlers: HandlerTable;
  readonly #send: (message: FromEngine) => void;
  readonly #waiting = new Map<number, AbortController>();
  #last: Promise<void> = Promise.resolve();

  /**
   * @param handlers - what it answers
   * @param send - takes what goes to the page
   */
  constructor(handlers: HandlerTable, send: (message: FromEngine) => void) {
    this.#handlers = handlers;
    this.#send = send;
  }

  /** A message of the page. */
  take(message: ToEngine): void {
    if ("cancel" in message) {
      this.#waiting.get(message.id)?.abort();
      return;
    }
    const { id, kind, request } = message;
    const controller = new AbortController();
    this.#waiting.set(id, controller);
    this.#last = this.#last.then(() => this.#answer(id, kind, request, controller.signal));
  }

  async #answer(id: number, kind: Kind, request: unknown, signal: AbortSignal): Promise<void> {
    const turn: Turn = {
      signal,
      progress: (text) => this.#send({ id, progress: text }),
      pause: async () => {
        await nextMessage();
        signal.throwIfAborted();
      },
    };
    try {
      // What came while this one waited may give it up.
      await turn.pause();
      this.#send({ id, answer: await (this.#handlers[kind] as Handler)(request, turn) });
    } catch (error) {
      const { name, message } = error instanceof Error ? error : new Error(String(error));
      this.#send({ id, error: { name, message } });
    } finally {
      this.#waiting.delete(id);
    }
  }
}

/** Resolves behind the messages that are already here: promises alone never let one in. */
function nextMessage(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
