/** Asking the engine the same about each of a list, as lessons do that hold strategies side by side. */

import { useEffect, useState } from "preact/hooks";
import type { Engine } from "../engine/engine.ts";
import type { AnswerOf, Kind, RequestOf } from "../engine/protocol.ts";

/** How a question stands. */
export interface AskedAll<Answer> {
  /** One for each request, of these requests or of the last ones while these are being answered; null before the first. */
  readonly answer: readonly Answer[] | null;
  /** Why there are none; empty where there are. */
  readonly error: string;
  /** Whether answers are on their way. */
  readonly busy: boolean;
}

/**
 * Ask again whenever the requests change; those that are no longer shown are given up.
 *
 * @param engine - the models
 * @param kind - what is asked
 * @param requests - plain data, asked in this order; none asks nothing
 */
export function useAnswers<K extends Kind>(
  engine: Engine,
  kind: K,
  requests: readonly RequestOf<K>[],
): AskedAll<AnswerOf<K>> {
  const [asked, setAsked] = useState<AskedAll<AnswerOf<K>>>({ answer: null, error: "", busy: true });
  useEffect(() => {
    if (requests.length === 0) return;
    const giveUp = new AbortController();
    const { signal } = giveUp;
    setAsked((last) => ({ ...last, busy: true }));
    Promise.all(requests.map((request) => engine.ask(kind, request, { signal }))).then(
      (answer) => {
        if (!signal.aborted) setAsked({ answer, error: "", busy: false });
      },
      (error: Error) => {
        if (!signal.aborted) setAsked({ answer: null, error: error.message, busy: false });
      },
    );
    return () => giveUp.abort();
  }, [engine, kind, JSON.stringify(requests)]);
  return asked;
}
