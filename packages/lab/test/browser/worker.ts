/// <reference lib="webworker" />
/** The engine of the page: the models run here, on traces that are fetched. */
import { serveEngine, type TraceLibrary } from "@vmbind/lab";
import { gunzip, readTrace } from "@vmbind/trace";

const library: TraceLibrary = async (name) => {
  const response = await fetch(`/traces/${name}.jsonl.gz`);
  if (!response.ok) return null;
  const bytes = new Uint8Array(await response.arrayBuffer());
  return readTrace(name, () => gunzip(bytes));
};

serveEngine(self, library);
