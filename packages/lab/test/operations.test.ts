import { describe, expect, test } from "vitest";
import {
  agreement,
  answerOperations,
  OperationError,
  OperationScript,
  type ScriptMemory,
  type ScriptRange,
  SPARSE_STRATEGIES,
  type StrategyAnswer,
  sparseStrategy,
  startRun,
} from "../src/index.ts";

const MiB = 2 ** 20;
const KiB = 2 ** 10;

/** What a program sees, for programs that are written here. */
interface Scope {
  memory(size: unknown): ScriptMemory;
  sparse(size: unknown, options?: unknown): ScriptRange;
  range(size: unknown, options?: unknown): ScriptRange;
  bind(...args: unknown[]): void;
  unbind(...args: unknown[]): void;
  map(...args: unknown[]): void;
  unmap(...args: unknown[]): void;
  repeat(...args: unknown[]): void;
  destroy(range: unknown): void;
  free(memory: unknown): void;
  evict(memory: unknown): void;
  submit(): void;
  read(at: unknown): void;
  write(at: unknown, value: unknown): void;
  vmBind(driver: unknown, ops: unknown): void;
}

function written(program: (scope: Scope) => void): OperationScript["operations"] {
  const script = new OperationScript({ added() {}, nameFor: () => undefined });
  program(script.scope as unknown as Scope);
  return script.operations;
}

async function answersOf(program: (scope: Scope) => void): Promise<StrategyAnswer[]> {
  const operations = written(program);
  return Promise.all(SPARSE_STRATEGIES.map((strategy) => answerOperations(operations, strategy)));
}

function words({ operations }: StrategyAnswer): string[] {
  return agreement([{ operations } as StrategyAnswer]).map((row) => row.words[0]?.word ?? "");
}

const everywhere = (text: string): string[] => SPARSE_STRATEGIES.map(() => text);
const column = (answers: readonly StrategyAnswer[], i: number): string[] =>
  answers.map((answer) => words(answer)[i] ?? "");

describe("every strategy", () => {
  test("answers what an application may rely on in the same words", async () => {
    const answers = await answersOf(({ sparse, memory, bind, unbind, read, range, map, unmap, destroy }) => {
      const buf = sparse(6 * MiB);
      read(buf.at(4 * MiB));
      const a = memory(2 * MiB);
      bind(buf.at(2 * MiB), 64 * KiB, a, 128 * KiB);
      read(buf.at(2 * MiB + 0x1004));
      unbind(buf.at(2 * MiB), 64 * KiB);
      read(buf.at(2 * MiB + 0x1004));
      const plain = range(4 * MiB);
      map(plain.at(0), 2 * MiB, a);
      read(plain.at(0x10_0000));
      unmap(plain.at(0), MiB);
      read(plain.at(0x10_0000));
      destroy(plain);
      destroy(buf);
    });
    expect(column(answers, 1)).toEqual(everywhere("0"));
    expect(column(answers, 4)).toEqual(everywhere("memory + 0x21004"));
    expect(column(answers, 6)).toEqual(everywhere("0"));
    expect(column(answers, 9)).toEqual(everywhere("memory + 0x100000"));
    expect(column(answers, 11)).toEqual(everywhere("memory + 0x100000"));
    for (const { operations } of answers) {
      expect(operations.map(({ outcome }) => outcome)).toEqual(operations.map(() => "done"));
    }
  });

  test("makes a resource for what a workload's run pays for it", async () => {
    const operations = written(({ sparse }) => void sparse(6 * MiB));
    for (const strategy of SPARSE_STRATEGIES) {
      const run = await startRun(strategy);
      run.perform({ step: "create", resource: "buf", size: 6 * MiB });
      const { operations: answers, cost } = await answerOperations(operations, strategy);
      expect({ ...run.cost.create, ...cost }).toEqual(run.cost.create);
      expect(answers[0]?.cost).toEqual(cost);
    }
  });

  test("tells what the GPU sees in the end as the words of single reads do", async () => {
    const answers = await answersOf(({ sparse, memory, bind, read }) => {
      const buf = sparse(6 * MiB);
      bind(buf.at(2 * MiB), 256 * KiB, memory(2 * MiB), 64 * KiB);
      for (let at = 0; at < 6 * MiB; at += 64 * KiB) read(buf.at(at));
    });
    for (const { strategy, operations, ranges } of answers) {
      const [buf] = ranges;
      expect(buf?.runs.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(6 * MiB);
      for (const { sight } of operations) {
        const run = buf?.runs.find(({ addr, bytes }) => sight && addr <= sight.va && sight.va < addr + bytes);
        if (sight) expect(`${strategy} ${run?.behind}`).toBe(`${strategy} ${sight.behind}`);
      }
    }
  });

  test("shows a mapping of a program's memory where the GPU finds that memory", async () => {
    const answers = await answersOf(({ range, memory, map, read }) => {
      const plain = range(4 * MiB);
      const [a, b] = [memory(2 * MiB), memory(2 * MiB)];
      map(plain.at(0), 2 * MiB, a);
      map(plain.at(MiB), 2 * MiB, b);
      for (const at of [0, MiB - 0x4000, MiB, 3 * MiB - 0x4000]) read(plain.at(at));
    });
    for (const { operations, mappings } of answers) {
      for (const { sight } of operations) {
        if (!sight) continue;
        const found = mappings.find(({ addr, range }) => addr <= sight.va && sight.va < addr + range);
        const [name, offset = ""] = (found?.object ?? "").split(" + ");
        const inObject = Number(offset) + sight.va - (found?.addr ?? 0);
        expect(sight.object).toBe(`${name} + 0x${inObject.toString(16)}`);
      }
    }
    expect(column(answers, 7)).toEqual(everywhere("memory2 + 0x0"));
  });

  test("repeats a window with the driver's operation where it has one, else with a mapping for each", async () => {
    const answers = await answersOf(({ range, memory, repeat, read }) => {
      const plain = range(4 * MiB);
      repeat(plain.at(0), MiB, memory(64 * KiB), 16 * KiB, 16 * KiB);
      read(plain.at(0x3_4000));
    });
    expect(column(answers, 3)).toEqual(everywhere("memory + 0x4000"));
    const counts = new Set(answers.map(({ operations }) => operations[2]?.cost.bindOps));
    expect(counts).toEqual(new Set([1, 64]));
  });

  test("refuses with an errno and a sentence, and goes on", async () => {
    const answers = await answersOf(({ range, memory, map, read }) => {
      const plain = range(4 * MiB);
      const a = memory(64 * KiB);
      map(2 ** 63, 64 * KiB, a);
      map(plain.at(0), 64 * KiB, a, 16 * MiB);
      map(plain.at(0), 64 * KiB, a);
      read(plain.at(4));
    });
    for (const row of [2, 3]) expect(column(answers, row)).toEqual(everywhere("EINVAL"));
    expect(column(answers, 5)).toEqual(everywhere("memory + 0x4"));
    for (const { operations } of answers) {
      for (const { by, reason, calls } of operations.slice(2, 4)) {
        expect(by).toBe("driver");
        expect(reason).toMatch(/^[a-z_]+(\[0\])?\.[a-z_]+: .*0x/);
        expect(calls.at(-1)).toMatchObject({ errno: "EINVAL", reason });
      }
    }
  });

  test("costs in all what its operations cost", async () => {
    const answers = await answersOf(({ sparse, memory, bind, free, destroy }) => {
      const buf = sparse(6 * MiB);
      const a = memory(64 * KiB);
      bind(buf, 64 * KiB, a);
      destroy(buf);
      free(a);
    });
    for (const { operations, cost } of answers) {
      for (const [name, value] of Object.entries(cost)) {
        const parts = operations.map((one) => (one.cost as Record<string, number>)[name] ?? 0);
        expect(parts.reduce((sum, part) => sum + part, 0)).toBe(value);
      }
      expect(cost.bindOps).toBeGreaterThan(3);
    }
  });
});

describe("what a program asks of one driver", () => {
  const panthor = SPARSE_STRATEGIES.filter(({ driver }) => driver === "panthor");

  test("is left out by the others", async () => {
    const answers = await answersOf(({ range, memory, vmBind, read }) => {
      const plain = range(MiB);
      vmBind("panthor", [{ op: "map", boHandle: memory(64 * KiB), va: plain.at(0), size: 64 * KiB }]);
      read(plain.at(4));
    });
    for (const answer of answers) {
      const own = panthor.some(({ name }) => name === answer.strategy);
      expect(words(answer)[2]).toBe(own ? "ok" : "");
      if (own) expect(words(answer)[3]).toBe("memory + 0x4");
    }
  });

  test("names the operation that failed, whoever refuses it", async () => {
    const operations = written(({ memory, vmBind }) => {
      const a = memory(64 * KiB);
      const good = { op: "map-null", addr: 2 ** 40, range: 0x1000 };
      vmBind("xe", [good, good, { op: "map", obj: a, addr: 2 ** 41, range: 0x1001 }]);
      vmBind("xe", [good, { op: "map", obj: a, addr: 2 ** 41, range: -1 }]);
      vmBind("xe", [good, { op: "map-nil", addr: 0, range: 0 }]);
      vmBind("amdgpu", [
        { op: "map-prt", vaAddress: 2 ** 40, mapSize: 0x1000 },
        { op: "map-prt", vaAddress: 2 ** 40, mapSize: 1 },
      ]);
    });
    const xe = (await answerOperations(operations, sparseStrategy("xe-null"))).operations;
    expect(xe.map(({ outcome, by, failed }) => ({ outcome, by, failed })).slice(1)).toEqual([
      { outcome: "refused", by: "driver", failed: 2 },
      { outcome: "refused", by: "user-mode driver", failed: 1 },
      { outcome: "refused", by: "user-mode driver", failed: 1 },
      { outcome: "left-out", by: null, failed: null },
    ]);
    expect(xe[3]?.reason).toMatch(/^ops\[1\]\.op: "map-nil" is none of map, map-null/);
    const amdgpu = (await answerOperations(operations, sparseStrategy("amdgpu-prt"))).operations;
    expect(amdgpu[4]).toMatchObject({ errno: "EINVAL", failed: 1, callCount: 2 });
  });

  test("knows what each driver's operations need and may have", async () => {
    for (const strategy of SPARSE_STRATEGIES) {
      const { vmBind } = await strategy.open(strategy.devices[0]);
      const missing = Object.entries(vmBind.forms).filter(([op, { needs }]) => {
        const [first = ""] = needs;
        expect(() => vmBind.encode([{ op }])).toThrow(`ops[0].${first}: missing`);
        return needs.length === 0;
      });
      expect(missing).toEqual([]);
    }
  });
});

test("drivers differ in what becomes of a store to an unbound page, and the row says so", async () => {
  const answers = await answersOf(({ sparse, read, write }) => {
    const buf = sparse(6 * MiB);
    write(buf.at(0x1_0000), 0xabcd);
    read(buf.at(0x1_0000));
    read(buf.at(0x2_0000));
  });
  const rows = agreement(answers);
  expect(rows.map(({ differs }) => differs)).toEqual([false, true, true, true]);
  const xe = answers.findIndex(({ driver }) => driver === "xe");
  const panthor = answers.findIndex(({ strategy }) => strategy === "panthor-sparse");
  expect([rows[1]?.words[xe]?.word, rows[2]?.words[xe]?.word]).toEqual(["dropped", "0"]);
  expect([rows[1]?.words[panthor]?.word, rows[2]?.words[panthor]?.word]).toEqual([
    "kept in kernel dummy",
    "0xabcd",
  ]);
});

test("more work than a program may ask for is not done, and said", async () => {
  const operations = written(({ vmBind, sparse }) => {
    vmBind("msm", [{ op: "map-null", iova: 2 ** 33, range: 2 ** 46 }]);
    sparse(2 ** 40);
    sparse(MiB);
  });
  const { operations: answers } = await answerOperations(operations, sparseStrategy("msm-null"));
  expect(answers.map(({ outcome, by }) => [outcome, by])).toEqual([
    ["refused", "laboratory"],
    ["refused", "laboratory"],
    ["done", null],
  ]);
  expect(answers[0]?.reason).toMatch(/may ask for .* leaf entries/);
});

describe("a program that is wrong is told so in the call", () => {
  const wrong: [what: string, program: (scope: Scope) => void, message: string][] = [
    ["no size", ({ memory }) => memory(undefined), "memory: size: expected a whole number from 1 to"],
    [
      "half a byte",
      ({ sparse }) => sparse(0.5),
      "sparse: size: expected a whole number from 1 to 2^64 - 1, got 0.5",
    ],
    ["too much memory", ({ memory }) => memory(2 ** 31), "memory: size: expected a whole number from 1 to"],
    ["an option", ({ range }) => range(1, { at: 5 }), "range: options.at: there is no such option, only va"],
    [
      "memory that is none",
      ({ bind }) => bind(0, 4096, 5),
      "bind: memory: expected what memory() returned, got 5",
    ],
    ["a range as memory", ({ bind, range }) => bind(0, 4096, range(1)), "got range range"],
    [
      "no address",
      ({ read }) => read("x"),
      'read: at: expected an address, as buf.at(offset) or a number, got "x"',
    ],
    ["a sum", ({ read, sparse }) => read(Number(sparse(1)) + 1), "where it lies is for each driver"],
    [
      "a long word",
      ({ write }) => write(0, 2 ** 32),
      "write: value: expected a whole number from 0 to 4294967295",
    ],
    ["a driver", ({ vmBind }) => vmBind("vc4", []), "vmBind: driver: expected one of "],
    ["no list", ({ vmBind }) => vmBind("xe", { op: "map" }), "vmBind: ops: expected a list of operations"],
    ["no name", ({ vmBind }) => vmBind("xe", [{}]), "vmBind: ops[0].op: expected the name of an operation"],
    [
      "too many operations",
      ({ submit }) => {
        for (;;) submit();
      },
      "more than 4096 operations",
    ],
  ];
  test.each(wrong)("%s", (_what, program, message) => {
    expect(() => written(program)).toThrow(OperationError);
    expect(() => written(program)).toThrow(message);
  });
});
