/**
 * The oracle: unmodified Vulkan drivers and kernel tests of Debian sid on the models. They were written by people who never
 * saw this project, so what they expect of a kernel is a judgement from outside.
 *
 * See `--help`. Needs a Debian system (apt, dpkg), a C compiler, 300 MB to fetch and 1.6 GB of cache; nothing is installed.
 */

import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { OracleError, unpack } from "./archive.mjs";
import { runIgt } from "./igt.mjs";
import { CLI, live } from "./live.mjs";
import { MEASURED, runMeasure } from "./measure.mjs";
import { Programs } from "./programs.mjs";
import { IGT, VULKAN } from "./suites.mjs";
import { tableOf } from "./table.mjs";

const HELP = `usage: scripts/live-oracle [--only TEXT] [--json FILE] [--cache FOLDER] [--archive URI] [--update]
       scripts/live-oracle run [--cache FOLDER] [OPTION OF vmbind live]... -- PROGRAM [ARG]...

Fetches Mesa and igt-gpu-tools of Debian sid into a cache, without installing anything, and runs them on the models:
igt's tests of VM_BIND and syncobjs, and seven sparse workloads on Mesa's drivers, whose ioctls are compared with
the recordings that ship; and the client that measures, on lavapipe. Prints a table; exits with 1 when anything is not as it should be.

run starts one program of the unpacked amd64 system on a model: scripts/live-oracle run --log -- vulkaninfo

  --only TEXT      rows whose name or device holds TEXT
  --json FILE      the results as JSON (default live-oracle.json)
  --cache FOLDER   where things are kept (default ~/.cache/vmbind/oracle)
  --archive URI    a Debian archive (default: that of this machine's apt)
  --update         fetch what is newer
`;

const SOFTWARE = /^(lvp|gfxstream|virtio)/;

const say = (text) => process.stderr.write(`${text}\n`);

function programsOf({ cache, archive, update }) {
  if (!existsSync(CLI)) throw new OracleError("the command is not built: npx -y pnpm@10.34.8 build");
  mkdirSync(cache, { recursive: true });
  const versions = {};
  const roots = {};
  for (const architecture of ["amd64", "arm64"]) {
    const unpacked = unpack(cache, architecture, { archive, update, say });
    roots[architecture] = unpacked.root;
    versions[architecture] = unpacked.versions;
  }
  return { programs: new Programs(cache, roots), versions };
}

/** What the results were got with. */
function testedWith(versions) {
  const { amd64 } = versions;
  return {
    mesa: amd64["mesa-vulkan-drivers"],
    igt: amd64["igt-gpu-tools-tests"],
    qemu: amd64["qemu-user"],
    node: process.version,
  };
}

async function test(options) {
  const { programs, versions } = programsOf(options);
  const matches = ({ binary, umd, device }) =>
    options.only === undefined || [binary, umd, device].some((text) => text?.includes(options.only));
  // It reads the builds.
  const { runWorkloads } = await import("./workloads.mjs");
  const jobs = [
    ...IGT.filter(matches).map((row) => () => runIgt(programs, row)),
    ...VULKAN.filter(matches).map((row) => () => runWorkloads(programs, row)),
    ...MEASURED.filter(matches).map((row) => () => runMeasure(programs, row)),
  ];
  if (jobs.length === 0) throw new OracleError(`--only: nothing is called ${options.only}`);
  const results = [];
  for (const job of jobs) {
    const result = await job();
    say(
      `${result.ok ? "ok  " : "FAIL"} ${result.name} on ${result.device}: ${result.passed} of ${result.total}`,
    );
    results.push(result);
  }
  const report = { testedWith: testedWith(versions), results };
  writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  process.stdout.write(tableOf(report));
  return results.every(({ ok }) => ok) ? 0 : 1;
}

async function runOne(options, rest) {
  const { programs } = programsOf(options);
  const at = rest.indexOf("--");
  const [program, ...args] = at < 0 ? [] : rest.slice(at + 1);
  if (program === undefined) throw new OracleError("run: -- PROGRAM [ARG]... is missing");
  const path = program.includes("/") ? resolve(program) : programs.path("amd64", `bin/${program}`);
  // Drivers of GPUs; those of software and of virtual machines would be found on any device.
  const drivers = programs.path("amd64", "share/vulkan/icd.d");
  const files = readdirSync(drivers).filter((name) => !SOFTWARE.test(name));
  const env = {
    XDG_DATA_DIRS: programs.path("amd64", "share"),
    VK_DRIVER_FILES: files.map((name) => join(drivers, name)).join(":"),
  };
  const { status } = await live(rest.slice(0, at), programs.command("amd64", path, args), {
    env,
    stdio: "inherit",
  });
  return status ?? 1;
}

async function main(argv) {
  const { XDG_CACHE_HOME } = process.env;
  const strings = ["only", "json", "cache", "archive"];
  const cache = join(XDG_CACHE_HOME || join(homedir(), ".cache"), "vmbind/oracle");
  if (argv[0] === "run") {
    const rest = argv.slice(1);
    const own = rest[0] === "--cache" ? rest.splice(0, 2)[1] : undefined;
    return runOne({ cache: resolve(own ?? cache) }, rest);
  }
  const { values } = parseArgs({
    args: argv,
    options: {
      ...Object.fromEntries(strings.map((name) => [name, { type: "string" }])),
      update: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  return test({ json: "live-oracle.json", ...values, cache: resolve(values.cache ?? cache) });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const usage = error instanceof OracleError || error?.code?.startsWith("ERR_PARSE_ARGS");
  if (!usage) throw error;
  say(`live-oracle: ${error.message}`);
  process.exitCode = 2;
}
