/**
 * Who answers the page: the models, in a worker or in the page's own thread. The page sees only {@link Engine}.
 *
 * A request is one file beside this one: a function of plain data to plain data, with a line in `handlers.ts`. What travels is said by
 * its types alone, so that the page imports no model.
 */

import type { AnswerOf, Kind, RequestOf } from "./protocol.ts";

/** Answers requests, each in its turn. */
export interface Engine {
  /**
   * Ask.
   *
   * @param kind - what is asked
   * @param request - plain data
   * @param options - `signal` gives the request up, `progress` hears how far it is
   * @returns the answer
   * @throws EngineError for what the engine refuses, an AbortError for a request that was given up
   */
  ask<K extends Kind>(kind: K, request: RequestOf<K>, options?: AskOptions): Promise<AnswerOf<K>>;
}

/** See {@link Engine.ask}. */
export interface AskOptions {
  /** Gives the request up: it stops at the next pause. */
  signal?: AbortSignal;
  /** Hears how far it is, in words. */
  progress?: (text: string) => void;
}

/** What a request is refused with; the message names what is wrong with the user's input. */
export class EngineError extends Error {
  override readonly name: string = "EngineError";
}
