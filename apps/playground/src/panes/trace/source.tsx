/** Where a trace comes from: a recording beside the page, the trace in the page, or a file that is opened or dropped. */

import { useEffect, useId, useState } from "preact/hooks";
import type { Engine } from "../../engine/engine.ts";
import { embeddedTrace, loadRecording, RECORDINGS } from "../../recordings.ts";
import { TraceIndex } from "./index-of.ts";

/** Files that were opened in this tab, by name: a link names them, and only who has them can follow it. */
const opened = new Map<string, Uint8Array<ArrayBuffer>>();

/** What is known of a trace that is being opened. */
export interface Opening {
  /** The trace; null while it is opened, or where it cannot be. */
  readonly index: TraceIndex | null;
  /** How far it is, in words. */
  readonly progress: string;
  /** Why it cannot be opened; empty where nothing went wrong. */
  readonly error: string;
}

/**
 * Opens a trace whenever its name changes.
 *
 * @param engine - who reads it
 * @param name - of the trace; empty for none
 */
export function useTrace(engine: Engine, name: string): Opening {
  const [opening, setOpening] = useState<Opening & { name: string }>({
    name: "",
    index: null,
    progress: "",
    error: "",
  });
  useEffect(() => {
    if (name === "") return;
    const giveUp = new AbortController();
    const { signal } = giveUp;
    setOpening({ name, index: null, progress: "opening", error: "" });
    const run = async (): Promise<void> => {
      try {
        const bytes = await bytesOf(name);
        const progress = (text: string): void => {
          if (!signal.aborted) setOpening({ name, index: null, progress: text, error: "" });
        };
        const trace = await engine.ask("open-trace", { name, bytes }, { signal, progress });
        setOpening({ name, index: new TraceIndex(trace), progress: "", error: "" });
      } catch (error) {
        if (signal.aborted) return;
        setOpening({
          name,
          index: null,
          progress: "",
          error: error instanceof Error ? error.message : String(error),
        });
      }
    };
    void run();
    return () => giveUp.abort();
  }, [engine, name]);
  return opening.name === name ? opening : { index: null, progress: name === "" ? "" : "opening", error: "" };
}

async function bytesOf(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const inTab = opened.get(name);
  if (inTab !== undefined) return inTab;
  const inPage = embeddedTrace();
  if (inPage?.name === name) return inPage.bytes;
  if (RECORDINGS.includes(name)) return loadRecording(name);
  throw new Error(`this link is about a file, ${name}: open or drop it to follow the link`);
}

/** Keep a file's bytes under its name, and say the name. */
async function take(file: File): Promise<string> {
  const name = file.name.replace(/\.jsonl(\.gz)?$/, "");
  opened.set(name, new Uint8Array(await file.arrayBuffer()));
  return name;
}

/** What there is to say while a trace is opened, or when it cannot be. */
export function OpeningNotes({ name, opening: { progress, error } }: { name: string; opening: Opening }) {
  return (
    <>
      {error !== "" && (
        <p class="reason" role="alert">
          {error}
        </p>
      )}
      {progress !== "" && (
        <p class="muted" role="status">
          {name}: {progress} …
        </p>
      )}
    </>
  );
}

/** Choosing a trace. */
export function SourceBar({
  name,
  choose,
  label = "Recording",
}: {
  name: string;
  choose: (name: string) => void;
  /** What it chooses. */
  label?: string;
}) {
  const id = useId();
  const inPage = embeddedTrace()?.name;
  const others = [...opened.keys(), ...(inPage === undefined ? [] : [inPage])].filter(
    (other) => !RECORDINGS.includes(other) || other === inPage,
  );
  const rest = RECORDINGS.filter((other) => !others.includes(other));
  const groupOf = (recording: string): string => recording.split("-", 1)[0] ?? "";
  const groups = [...new Set(rest.map(groupOf))];
  // A page that `explore` wrote stands alone: no recordings lie beside it.
  const alone = inPage !== undefined;
  return (
    <div class="source">
      {!alone && (
        <span>
          <label for={id}>{label}</label>{" "}
          <select id={id} value={name} onChange={(event) => choose(event.currentTarget.value)}>
            <option value="">choose one</option>
            {others.map((other) => (
              <option key={other} value={other}>
                {other}
              </option>
            ))}
            {groups.map((group) => (
              <optgroup key={group} label={group}>
                {rest
                  .filter((other) => groupOf(other) === group)
                  .map((other) => (
                    <option key={other} value={other}>
                      {other}
                    </option>
                  ))}
              </optgroup>
            ))}
          </select>
        </span>
      )}
      <label class="file">
        Open a trace
        <input
          type="file"
          accept=".jsonl,.gz"
          onChange={async (event) => {
            const [file] = event.currentTarget.files ?? [];
            if (file) choose(await take(file));
          }}
        />
      </label>
    </div>
  );
}

/** Whether something is being dragged over the page, and takes what is dropped. */
export function useDrop(choose: (name: string) => void): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const onOver = (event: DragEvent): void => {
      event.preventDefault();
      setOver(true);
    };
    const onLeave = (event: DragEvent): void => {
      if (event.relatedTarget === null) setOver(false);
    };
    const onDrop = async (event: DragEvent): Promise<void> => {
      event.preventDefault();
      setOver(false);
      const file = event.dataTransfer?.files[0];
      if (file) choose(await take(file));
    };
    addEventListener("dragover", onOver);
    addEventListener("dragleave", onLeave);
    addEventListener("drop", onDrop);
    return () => {
      removeEventListener("dragover", onOver);
      removeEventListener("dragleave", onLeave);
      removeEventListener("drop", onDrop);
    };
  }, [choose]);
  return over;
}
