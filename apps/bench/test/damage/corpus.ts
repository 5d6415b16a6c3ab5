/** The valid files that damage begins from, by kind, and the commands that are to stand it. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { SPARSE_STRATEGIES } from "@vmbind/lab/strategies";
import type { Draw } from "./damage.ts";

/** Files of one kind. */
export interface Kind {
  /** Of the test, e.g. `traces` or the format of vectors. */
  name: string;
  texts: readonly string[];
  /** The command lines for one damaged file. */
  commands(path: string, draw: Draw): string[][];
}

const root = new URL("../../../../", import.meta.url);

function lines(path: URL): string[] {
  const bytes = readFileSync(path);
  return (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString().trimEnd().split("\n");
}

const TRACES = new URL("apps/bench/traces/", root);
/** Long traces say no more than short ones, and each is read thousands of times. */
const TRACE_LINES_MAX = 120;
const TRACE_BYTES_MAX = 200_000;

function traces(): Kind {
  const texts = readdirSync(TRACES)
    .filter((name) => name.endsWith(".gz"))
    .map((name) => `${lines(new URL(name, TRACES)).slice(0, TRACE_LINES_MAX).join("\n")}\n`)
    .filter((text) => text.length <= TRACE_BYTES_MAX);
  return {
    name: "traces",
    texts,
    commands: (path, draw) => [
      ["replay", path],
      [
        ["explain", path],
        ["explain", path, "--ops"],
        ["explore", path, "--output", `${path}.html`],
        ["replay", path, "--check", "--json"],
      ][draw(4)] as string[],
    ],
  };
}

/** Cases of a vector file, and the longest line that is taken. */
const CASES = 10;
const CASE_BYTES_MAX = 20_000;

function spread(cases: readonly string[]): string[] {
  const step = Math.max(1, Math.floor(cases.length / CASES));
  return cases.filter((_, i) => i % step === 0).slice(0, CASES);
}

/** Where cases name recordings, a run replays those: the two shortest are enough, the damage being in the case. */
function shortestReplays(cases: readonly string[]): string[] | null {
  const named = cases.flatMap((line) => {
    const { trace } = JSON.parse(line) as { trace?: unknown };
    return typeof trace === "string"
      ? [{ line, bytes: statSync(new URL(`${trace}.jsonl.gz`, TRACES)).size }]
      : [];
  });
  if (named.length === 0) return null;
  return named
    .sort((a, b) => a.bytes - b.bytes)
    .slice(0, 2)
    .map(({ line }) => line);
}

/** One kind for each format. */
function vectors(): Kind[] {
  const byFormat = new Map<string, string[]>();
  for (const name of readdirSync(new URL("packages/", root))) {
    const folder = new URL(`packages/${name}/test/vectors/`, root);
    for (const file of listed(folder)) {
      const [header, ...cases] = lines(new URL(file, folder));
      const some = cases.filter((line) => line.length <= CASE_BYTES_MAX);
      const text = [header, ...(shortestReplays(some) ?? spread(some))].join("\n");
      const { format } = JSON.parse(header ?? "{}") as { format?: string };
      if (format && some.length > 0) byFormat.set(format, [...(byFormat.get(format) ?? []), `${text}\n`]);
    }
  }
  return [...byFormat].map(([name, texts]) => ({ name, texts, commands: (path) => [["verify", path]] }));
}

function listed(folder: URL): string[] {
  try {
    return readdirSync(folder).filter((name) => /\.jsonl(\.gz)?$/.test(name));
  } catch {
    return [];
  }
}

const head = { format: "vmbind-workload", version: 1 };
const memory = { object: "m", offset: 0 };

const WORKLOADS: readonly object[] = [
  { ...head, name: "knobs", parametric: {} },
  { ...head, name: "size", parametric: { size: 0x200000, bound: 1, tile: 0x10000 } },
  { ...head, name: "random", parametric: { size: 0x800000, order: "random", bound: 0.5, bindsPerCall: 7 } },
  { ...head, name: "window", parametric: { size: 0x800000, order: "window", resources: 3 } },
  { ...head, name: "many", parametric: { size: 0x100000, bound: 0, resources: 40 } },
  { ...head, name: "one", steps: [{ step: "create", resource: "r", size: 65536 }] },
  {
    ...head,
    name: "tiles",
    description: "two tiles",
    steps: [
      { step: "create", resource: "r", size: "0x400000" },
      { step: "allocate", memory: "m", size: 0x100000 },
      {
        step: "bind",
        resource: "r",
        binds: [
          { offset: 0, size: 0x10000, memory },
          { offset: 0x200000, size: 0x10000, memory: { object: "m", offset: 0x10000 } },
        ],
      },
      { step: "write", resource: "r", offset: 8, value: "0xcafe" },
      { step: "read", resource: "r", offset: 8 },
      { step: "bind", resource: "r", binds: [{ offset: 0, size: 0x10000, memory: null }] },
      { step: "wait-idle" },
      { step: "destroy", resource: "r" },
      { step: "free", memory: "m" },
    ],
  },
];

function workloads(): Kind {
  return {
    name: "workloads",
    texts: WORKLOADS.flatMap((workload, i) =>
      i % 2 === 0
        ? [JSON.stringify(workload)]
        : [JSON.stringify(workload), JSON.stringify(workload, null, 1)],
    ),
    commands: (path, draw) => [
      ["lower", path, "--strategy", SPARSE_STRATEGIES[draw(SPARSE_STRATEGIES.length)]?.name ?? ""],
      ...(draw(4) === 0
        ? [
            [
              "compare",
              "--workload",
              path,
              "--strategy",
              "xe-null",
              "--strategy",
              "panthor-sparse",
              "--jobs",
              "1",
            ],
          ]
        : []),
    ],
  };
}

/** @returns all kinds */
export function corpus(): Kind[] {
  return [traces(), workloads(), ...vectors()];
}
