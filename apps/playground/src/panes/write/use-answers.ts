/**
 * Answers to what was typed, a moment after the last key. The programs run in a worker of the pane's own: one that does not come back is
 * ended, and the next answer begins with a fresh one.
 */

import { useEffect, useRef, useState } from "preact/hooks";
import { programEngine } from "../../editor/program-engine.ts";
import { stripTypes } from "../../editor/strip-types.ts";
import type { StoppableEngine } from "../../engine/engine-over.ts";
import type { OperationsAnswer, OperationsRequest } from "../../engine/programs/answer-operations.ts";
import type { Offer } from "../../engine/programs/list-strategies.ts";
import type { TextFile, TextProblem } from "../../engine/programs/run-text.ts";

/** After the last key. */
const PAUSE_MS = 250;
/** Without a sign of life. A slow machine, or a strategy that makes tens of thousands of mappings, needs less. */
const PATIENCE_MS = 20_000;
const STOPPED = "stopped: it ran for 20 seconds without an answer. Is there a loop that does not end?";

/** What is known. */
export interface Answers {
  /** The last answer; null before the first one. */
  readonly answer: OperationsAnswer | null;
  /** What is wrong with the texts as they are now. */
  readonly problems: readonly TextProblem[];
  /** What it is busy with; empty where the answer is that of the texts. */
  readonly busy: string;
  /** End what it is busy with. */
  stop(): void;
}

/**
 * @param texts - what is asked, types and all; null while that is not known
 */
export function useAnswers(texts: OperationsRequest | null): Answers {
  const own = useRef<StoppableEngine | null>(null);
  const [answer, setAnswer] = useState<OperationsAnswer | null>(null);
  const [problems, setProblems] = useState<readonly TextProblem[]>([]);
  const [busy, setBusy] = useState("starting");
  const key = texts && JSON.stringify(texts);
  const end = (why: string): void => {
    own.current?.stop(why);
    own.current = null;
  };

  useEffect(() => () => end("the pane was left"), []);
  useEffect(() => {
    if (texts === null) return;
    let isCurrent = true;
    let isAsking = false;
    let patience = 0;
    const done = (found: readonly TextProblem[]): void => {
      setProblems(found);
      setBusy("");
    };
    const beat = (doing: string): void => {
      clearTimeout(patience);
      setBusy(doing);
      patience = window.setTimeout(() => end(STOPPED), PATIENCE_MS);
    };
    const ask = async (): Promise<void> => {
      const program = strippedOf("operations.ts", texts.program);
      const strategy = texts.strategy === null ? null : strippedOf("strategy.ts", texts.strategy);
      if (typeof program !== "string") return done([program]);
      if (typeof strategy === "object" && strategy !== null) return done([strategy]);
      isAsking = true;
      beat("the program");
      own.current ??= programEngine();
      try {
        const request = { ...texts, program, strategy };
        const found = await own.current.ask("answer-operations", request, { progress: beat });
        if (!isCurrent) return;
        setAnswer(found);
        done(found.problems);
      } catch (error) {
        if (!isCurrent) return;
        const message = error instanceof Error ? error.message : String(error);
        done([{ file: "operations.ts", line: null, message }]);
      } finally {
        isAsking = false;
        clearTimeout(patience);
      }
    };
    const timer = setTimeout(ask, PAUSE_MS);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
      clearTimeout(patience);
      // In the middle of a program it would not hear of being given up.
      if (isAsking) end("the text was changed");
    };
  }, [key]);
  return { answer, problems, busy, stop: () => end("stopped") };
}

/**
 * @returns what there is to choose from and to complete with; null until it is known
 */
export function useOffer(): Offer | null {
  const [offer, setOffer] = useState<Offer | null>(null);
  useEffect(() => {
    const engine = programEngine();
    void engine.ask("list-strategies", undefined).then(
      (found) => {
        setOffer(found);
        engine.stop("all is told");
      },
      () => {},
    );
    return () => engine.stop("the pane was left");
  }, []);
  return offer;
}

function strippedOf(file: TextFile, text: string): string | TextProblem {
  const stripped = stripTypes(text);
  return "code" in stripped ? stripped.code : { file, line: stripped.line, message: stripped.message };
}
