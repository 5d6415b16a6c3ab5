import {
  compare,
  LocalEngine,
  measure,
  type ParametricOptions,
  parametric,
  SPARSE_STRATEGIES,
  timeEstimates,
  type WorkloadFile,
  type WorkloadRef,
} from "@vmbind/lab";
import { bundledMeasurements } from "../src/files/measured-file.ts";
import { type ReportInput, type SweepRow, shownStrategy } from "../src/report/input.ts";

/** Reads and writes where nothing is bound, and where something is. */
const OWN: WorkloadFile = {
  format: "vmbind-workload",
  version: 1,
  name: "own",
  description: "a texture that is read where nothing is bound",
  steps: [
    { step: "create", resource: "tex", size: 0x400000 },
    { step: "allocate", memory: "m", size: 0x200000 },
    {
      step: "bind",
      resource: "tex",
      binds: [{ offset: 0, size: 0x200000, memory: { object: "m", offset: 0 } }],
    },
    { step: "write", resource: "tex", offset: 16, value: 7 },
    { step: "read", resource: "tex", offset: 16 },
    { step: "write", resource: "tex", offset: 0x300000, value: 9 },
    { step: "read", resource: "tex", offset: 0x300000 },
    { step: "destroy", resource: "tex" },
    { step: "free", memory: "m" },
  ],
};

function fromFile(name: string, knobs: ParametricOptions): WorkloadRef {
  return {
    file: "test.json",
    content: { format: "vmbind-workload", version: 1, name, parametric: knobs },
  };
}

/** A real input of small workloads: every number in it was measured. */
export async function smallInput(): Promise<ReportInput> {
  const { lab, answer } = await compare(new LocalEngine(async () => null), {
    workloads: [
      { file: "own.json", content: OWN },
      fromFile("<b>random & bound</b>", { size: 2 ** 23, bound: 0.5, order: "random" }),
    ],
  });
  const rows: SweepRow[] = [];
  for (const strategy of SPARSE_STRATEGIES) {
    for (const size of [2 ** 20, 2 ** 22, 2 ** 24]) {
      const { total } = await measure(parametric("size", 1, { size, bound: 0 }), strategy);
      rows.push({ strategy: strategy.name, axis: "size", x: size, figures: total });
    }
    for (const bound of [0, 0.5, 1]) {
      const { total } = await measure(parametric("fraction", 1, { size: 2 ** 22, bound }), strategy);
      rows.push({ strategy: strategy.name, axis: "fraction", x: bound, figures: total });
    }
  }
  return {
    kernel: "ideal",
    strategies: SPARSE_STRATEGIES.map(shownStrategy),
    answer,
    lab,
    sweeps: { boundFraction: 0, sizeBytes: 2 ** 22, tileBytes: 2 ** 16, rows },
    versions: { vmbind: "0.1.0", "<script>alert(1)</script>": "1" },
    commands: [{ command: "vmbind compare --report report.html", gives: "This page." }],
    measured: await bundledMeasurements(),
    time: timeEstimates(lab.costs),
    recorded: [
      {
        workload: "buffer-100e6",
        strategy: "panthor-sparse",
        driver: "panthor",
        recorded: true,
        supported: true,
        differences: 0,
        metrics: { createOps: 1, bindOps: 3, payloadBytes: 232 },
      },
      {
        workload: "buffer-100e6",
        strategy: "asahi-single-page",
        driver: "asahi",
        recorded: true,
        supported: false,
        differences: 0,
        metrics: { createOps: null, bindOps: null, payloadBytes: null },
      },
    ],
  };
}
