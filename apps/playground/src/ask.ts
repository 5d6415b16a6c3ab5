/** What a view is waiting for: an answer of the engine that follows its request, with the last answer until the next one is there. */

import { useEffect, useRef, useState } from "preact/hooks";
import type { Engine } from "./engine/engine.ts";
import type { AnswerOf, Kind, RequestOf } from "./engine/protocol.ts";

/** What is known. */
export interface Asked<Answer> {
  /** The last answer; null before the first one. */
  readonly answer: Answer | null;
  /** Whether it is that of the request, and not of an earlier one. */
  readonly isCurrent: boolean;
  /** Why there is none; empty where nothing went wrong. */
  readonly error: string;
}

/**
 * @param engine - who answers
 * @param kind - what is asked
 * @param request - plain data, compared by its text; null asks nothing
 */
export function useAnswer<K extends Kind>(
  engine: Engine,
  kind: K,
  request: RequestOf<K> | null,
): Asked<AnswerOf<K>> {
  const key = request === null ? null : JSON.stringify(request);
  const [got, setGot] = useState<{ key: string | null; answer: AnswerOf<K> | null; error: string }>({
    key: null,
    answer: null,
    error: "",
  });
  const asked = useRef<string | null>(null);
  useEffect(() => {
    asked.current = key;
    if (key === null || request === null) return;
    const giveUp = new AbortController();
    engine.ask(kind, request, { signal: giveUp.signal }).then(
      (answer) => setGot({ key, answer, error: "" }),
      (error: Error) => {
        if (error.name !== "AbortError") setGot((last) => ({ ...last, key, error: error.message }));
      },
    );
    return () => giveUp.abort();
  }, [engine, kind, key]);
  if (key === null) return { answer: null, isCurrent: false, error: "" };
  return { answer: got.answer, isCurrent: got.key === key, error: got.key === key ? got.error : "" };
}
