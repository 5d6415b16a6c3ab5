import { compare, LocalEngine, SPARSE_STRATEGIES } from "@vmbind/lab";
import { expect, test } from "vitest";
import { engineInProcess } from "../src/engine/in-process.ts";

const workload = "buffer-100e6";
/** The two that have the least to do: these tests are about the table, not about the drivers. */
const [first, second] = [...SPARSE_STRATEGIES].sort(
  (a, b) => a.workOf(1e8).leafEntries - b.workOf(1e8).leafEntries,
) as [(typeof SPARSE_STRATEGIES)[number], (typeof SPARSE_STRATEGIES)[number]];
const pair: readonly [string, string] = [second.name, first.name];

test("two strategies have the figures, answers and sentences of the laboratory, in the order asked for", async () => {
  const request = { pair, workload, kernel: "ideal" } as const;
  const found = await engineInProcess().ask("compare-strategies", request);
  const { lab } = await compare(new LocalEngine(async () => null), {
    strategies: SPARSE_STRATEGIES.filter((one) => one === first || one === second),
    workloads: [workload],
  });
  const total = found.phases.find(({ phase }) => phase === "all together");
  const operations = total?.figures.find(({ title }) => title === "operations");
  expect(operations?.values).toEqual(
    pair.map((name) => lab.costs.find(({ strategy }) => strategy === name)?.total.bindOps),
  );
  expect(found.phases.map(({ phase }) => phase)).toContain("create");
  for (const { question, answers } of found.questions) {
    const own = pair.map((name) =>
      lab.semantics.find((one) => one.strategy === name && one.question === question),
    );
    expect(answers.map((one) => one?.answer)).toEqual(own.map((one) => one?.answer));
  }
  expect(found.findings).toEqual(lab.findings.map(({ text }) => text));
  expect(found.verdicts.map((lines) => lines.length > 0)).toEqual([true, true]);
});

test("one strategy beside itself differs in nothing", async () => {
  const request = { pair: [first.name, first.name], workload, kernel: "linux-7.3" } as const;
  const { phases, questions } = await engineInProcess().ask("compare-strategies", request);
  for (const { figures } of phases) for (const { values } of figures) expect(values[0]).toBe(values[1]);
  for (const { answers } of questions) expect(answers[0]).toEqual(answers[1]);
});

test("names that are none are refused in a sentence", async () => {
  const ask = (part: object) =>
    engineInProcess().ask("compare-strategies", { pair, workload, kernel: "ideal", ...part });
  await expect(ask({ workload: "none" })).rejects.toThrow(/^no workload "none"; there are /);
  await expect(ask({ pair: [first.name, "none"] })).rejects.toThrow(/^no strategy "none"; there are /);
});
