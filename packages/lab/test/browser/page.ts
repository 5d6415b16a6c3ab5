/// <reference lib="dom" />
/** A page that compares one workload: it asks, a worker runs the models. */
import { compare, PortEngine } from "@vmbind/lab";

const show = (id: string, text: string): void => {
  const element = document.getElementById(id);
  if (element) element.textContent = text;
};

const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
worker.addEventListener("error", ({ message }) => show("done", `failed: ${message}`));
const workload = new URLSearchParams(location.search).get("workload") ?? "";
try {
  const found = await compare(new PortEngine(worker), { workloads: [workload] });
  show("result", JSON.stringify(found));
  show("done", "done");
} catch (error) {
  show("done", `failed: ${error}`);
}
