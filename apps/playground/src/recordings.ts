/**
 * The recordings beside the page, and the trace inside it. A page that was opened as a file may not fetch; a script beside it may hand it
 * its bytes (see vite.config.ts).
 */

import names from "virtual:recordings";

/** Names of the recordings. */
export const RECORDINGS: readonly string[] = names;

/** The trace that `vmbind explore` put into the page. */
export interface EmbeddedTrace {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** @returns the trace in the page; null in the playground itself */
export function embeddedTrace(): EmbeddedTrace | null {
  const element = document.getElementById("trace");
  const name = element?.dataset["name"];
  if (!element || name === undefined) return null;
  return { name, bytes: bytesOf(element.textContent ?? "") };
}

const waiting = new Map<string, (bytes: Uint8Array<ArrayBuffer>) => void>();

Object.assign(globalThis, {
  vmbindTrace(name: string, text: string): void {
    waiting.get(name)?.(bytesOf(text));
    waiting.delete(name);
  },
});

/**
 * @param name - of a recording
 * @returns its bytes, gzip
 * @throws Error where it does not lie beside the page
 */
export function loadRecording(name: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    waiting.set(name, (bytes) => {
      script.remove();
      resolve(bytes);
    });
    script.src = `traces/${encodeURIComponent(name)}.js`;
    script.addEventListener("error", () => {
      waiting.delete(name);
      script.remove();
      reject(new Error(`traces/${name}.js does not lie beside this page`));
    });
    document.head.append(script);
  });
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64.trim()), (c) => c.charCodeAt(0));
}
