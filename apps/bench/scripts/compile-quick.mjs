/**
 * Has V8 compile what a replay runs, of the drivers that quick-drivers.mjs names, and keeps it beside the bundle, for this version of
 * Node: to parse it is a third of the time of a short one. More would cost each command more than it gives to others. V8 takes it where
 * it has the same version and flags, so they are what they were when it is kept.
 */

import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { keepCompiled, runChunk } from "../dist/process/bundled.js";
import { QUICK_DRIVERS } from "./quick-drivers.mjs";

// What has not run for a while would be forgotten.
setFlagsFromString("--no-flush-bytecode");

const traces = fileURLToPath(new URL("../traces/", import.meta.url));
const of = (workload) =>
  readdirSync(traces)
    .filter((name) => QUICK_DRIVERS.includes(name.split("-", 1)[0]) && name.includes(workload))
    .map((name) => traces + name);

const chunk = (name) => runChunk(new URL(`../dist/quick/${name}.cjs`, import.meta.url));
const { main } = chunk("main");
const io = {
  out() {},
  flush() {},
  err() {},
  async save() {},
  outIsTerminal: false,
  errIsTerminal: false,
};

for (const argv of [
  ["--version"],
  ["replay", ...of("buffer-stream"), ...of("many-small"), ...of("image-unbound")],
  ["replay", "--json", ...of("image-3d")],
]) {
  const status = await main(argv, io);
  if (status !== 0) throw new Error(`vmbind ${argv.join(" ")}: status ${status}`);
}
// What stands around the command in a process of its own.
for (const name of ["run", "brief", "here", "supervise"]) chunk(name);
setFlagsFromString("--flush-bytecode");
keepCompiled();
