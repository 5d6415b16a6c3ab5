/** The engine's answers about traces, held against a plain replay of the same trace. */

import { readFileSync } from "node:fs";
import { replayTrace } from "@vmbind/lab";
import type { MappingRow } from "@vmbind/trace";
import { beforeAll, describe, expect, test } from "vitest";
import { open, RECORDINGS } from "../../../test/recordings.ts";
import { engineInProcess } from "../src/engine/in-process.ts";
import type { AnswerOf } from "../src/engine/protocol.ts";

const engine = engineInProcess();

function stored(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(new URL(`${name}.jsonl.gz`, RECORDINGS)));
}

function opened(name: string): Promise<AnswerOf<"open-trace">> {
  return engine.ask("open-trace", { name, bytes: stored(name) });
}

function linesOf(...lines: object[]): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
}

/** One of each driver, of those that split, refuse, unmap and use sparse ranges. */
const NAMES = [
  "panthor-blackhole-image-3d",
  "panthor-sparse-image-window",
  "asahi-buffer-100e6",
  "xe-igt-bind-array-many",
  "xe-igt-munmap-style-unbind-many-all",
  "nouveau-image-unbound",
  "msm-image-unbound",
  "amdgpu-image-unbound",
];

describe.each(NAMES)("%s", (name) => {
  let summary: AnswerOf<"open-trace">;
  beforeAll(async () => {
    summary = await opened(name);
  });

  test("is opened with the counts of a replay", async () => {
    const result = await replayTrace(await open(name));
    const { callRet, opAddr, callFirstOp, failureCount, differenceCount } = summary;
    expect(callRet.length).toBe(result.counts.ioctls);
    expect(opAddr.length).toBe(result.counts.bindOps);
    expect(callFirstOp.at(-1)).toBe(opAddr.length);
    expect(failureCount).toBe(callRet.filter((ret) => ret !== 0).length);
    expect(differenceCount).toBe(0);
  });

  test("has every moment's mappings, forwards and backwards", async () => {
    const moments = new Map<string, string>();
    await replayTrace(await open(name), {
      after: (record, device) => {
        if (record.kind !== "ioctl") return;
        for (const { file, vm } of summary.vms) {
          const rows = [...(device.vm(file, vm)?.mappings() ?? [])].sort((a, b) => a.addr - b.addr);
          moments.set(
            `${record.seq} ${file} ${vm}`,
            rows.map(({ addr, range, kind, bo, offset }) => [addr, range, kind, bo, offset].join()).join(" "),
          );
        }
      },
    });
    const last = summary.callRet.length - 1;
    for (const share of [0.5, 1, 0.25, 0.75, 0.3]) {
      const seq = Math.floor(last * share);
      for (const { file, vm } of summary.vms) {
        const { addr, range, kind, kinds, handle, offset } = await engine.ask("list-mappings", {
          trace: name,
          seq,
          file,
          vm,
        });
        const rows = [...addr.keys()].map((i) =>
          [addr[i], range[i], kinds[kind[i] as number], handle[i], offset[i]].join(),
        );
        expect(rows.join(" "), `#${seq}`).toBe(moments.get(`${seq} ${file} ${vm}`));
      }
    }
  });

  test("walks to what is mapped, and no entry has a bit without a name", async () => {
    const end = await replayTrace(await open(name));
    const last = summary.callRet.length - 1;
    const seq = Math.max(0, summary.callMappings.indexOf(Math.max(...summary.callMappings)));
    expect(end.mappedAtEnd.length).toBe(summary.callMappings[last]);
    for (const { file, vm } of summary.vms) {
      const { addr, range } = await engine.ask("list-mappings", { trace: name, seq, file, vm });
      for (const i of [0, Math.floor(addr.length / 2), addr.length - 1]) {
        if (addr[i] === undefined) continue;
        const va = (addr[i] as number) + Math.floor((range[i] as number) / 8192) * 4096;
        const walked = await engine.ask("walk-address", { trace: name, seq, file, vm, va });
        const wanted: Partial<MappingRow>[] = walked.mappings.map(({ addr, range }) => ({
          addr: addr.toString(16),
          range,
        }));
        expect(wanted).toContainEqual({ addr: (addr[i] as number).toString(16), range: range[i] });
        expect(walked.kind).not.toBe("fault");
        const names = walked.entries.flatMap(({ fields }) => fields.map((field) => field.name));
        expect(names.length).toBeGreaterThan(5);
        expect(names).not.toContain("not named");
      }
    }
  });

  test("tells who mapped an address: the history ends with what the model has there", async () => {
    const last = summary.callRet.length - 1;
    const seq = Math.max(0, summary.callMappings.indexOf(Math.max(...summary.callMappings)));
    for (const { file, vm } of summary.vms) {
      const { addr, range, meaning } = await engine.ask("list-mappings", { trace: name, seq, file, vm });
      for (const i of [0, Math.floor(addr.length / 3), addr.length - 1]) {
        if (addr[i] === undefined || meaning[i] === 4) continue;
        const va = addr[i] as number;
        const { events } = await engine.ask("tell-history", { trace: name, file, vm, va });
        const before = events.filter((event) => event.seq <= seq && event.range > 0);
        const now = before.at(-1);
        expect(before.length, `${va.toString(16)} at #${seq} of ${last}`).toBeGreaterThan(0);
        expect(va).toBeGreaterThanOrEqual(now?.addr ?? Number.NaN);
        expect(va).toBeLessThan((now?.addr ?? 0) + (now?.range ?? 0));
        expect((now?.addr ?? 0) <= va && va < (now?.addr ?? 0) + (now?.range ?? 0), String(range[i])).toBe(
          true,
        );
      }
    }
  });
});

test("an ioctl is told with its operations, steps and leaves, in pages", async () => {
  const name = "panthor-sparse-image-window";
  const summary = await opened(name);
  let most = 0;
  for (let seq = 0; seq < summary.callRet.length; seq++) {
    const ops = (i: number): number =>
      (summary.callFirstOp[i + 1] as number) - (summary.callFirstOp[i] as number);
    if (ops(seq) > ops(most)) most = seq;
  }
  const whole = await engine.ask("tell-call", { trace: name, seq: most, count: 10_000 });
  expect(whole.lines.filter(({ isStep }) => !isStep)).toHaveLength(whole.opCount);
  expect(whole.lines.filter(({ isStep }) => isStep)).toHaveLength(whole.stepCount);
  expect(whole.stepCount).toBeGreaterThan(0);
  expect(whole.leaves.length).toBeGreaterThan(0);
  expect(whole.costs.map(({ title }) => title)).toContain("operations");
  const page = await engine.ask("tell-call", { trace: name, seq: most, from: 3, count: 4 });
  expect(page.lines).toEqual(whole.lines.slice(3, 7));
});

test("what is no trace is refused with the reason, and the engine goes on", async () => {
  const bytes = linesOf({ format: "something" });
  await expect(engine.ask("open-trace", { name: "x", bytes })).rejects.toThrow(/format/);
  await expect(engine.ask("tell-call", { trace: "nowhere", seq: 0 })).rejects.toThrow("nowhere is not open");
  expect((await opened("xe-igt-null-once")).driver).toBe("xe");
});
