/**
 * What the host keeps of a VM with many mappings, page tables among them: at most 64 bytes each, so that 10^7 fit into little
 * memory. They come in random order: a run of them leaves fuller leaves in the VA tree.
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { Random } from "../../../test/random.ts";
import { SEED } from "./law.ts";
import { SUBJECTS } from "./subjects.ts";

const MAPPINGS = 100_000;
const AT_A_TIME = 500;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** All numbers below {@link MAPPINGS}, shuffled. */
function order(): Uint32Array {
  const numbers = Uint32Array.from({ length: MAPPINGS }, (_, i) => i);
  const random = new Random(SEED);
  for (let i = MAPPINGS - 1; i > 0; i--) {
    const other = random.below(i + 1);
    [numbers[i], numbers[other]] = [numbers[other] as number, numbers[i] as number];
  }
  return numbers;
}

function hostBytes(): number {
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** One subject of each driver. */
const DRIVERS = new Map(SUBJECTS.toReversed().map((subject) => [subject.name.split(" ")[0], subject]));

for (const { name, facts, device: make } of DRIVERS.values()) {
  test(`${name}: a mapping takes at most 64 bytes`, () => {
    const device = make();
    const file = device.open();
    const vm = file.createVm();
    const { pageBytes } = facts;
    const pages = 16;
    const numbers = order();
    const object = file.createObject(pages * pageBytes);
    const bind = (first: number, count: number): void => {
      const ops = Array.from({ length: count }, (_, i) => {
        const page = numbers[first + i] as number;
        return {
          kind: "bind" as const,
          va: facts.elsewhere + page * pageBytes,
          bytes: pageBytes,
          object,
          offset: ((page * 5) % pages) * pageBytes,
          access: "rw" as const,
        };
      });
      expect(file.bind(vm, ops).ret, file.reason()).toBe(0);
    };
    bind(0, AT_A_TIME);
    const before = hostBytes();
    for (let i = AT_A_TIME; i < MAPPINGS; i += AT_A_TIME) bind(i, AT_A_TIME);
    expect((hostBytes() - before) / MAPPINGS).toBeLessThanOrEqual(64);
    file.close();
  });
}
