import { describe, expect, it } from "vitest";
import { GemObject, GemObjects, Gpuvm, type GpuvmOp } from "../src/index.ts";

const U = 0x1000;
type Range = [object: "a" | "b", start: number, end: number, offset: number];

/** The fifteen situations of the GPUVM documentation: one existing mapping, one request, the steps. Offsets: n = 4, m = 9. */
const CASES: [number, Range, Range, string][] = [
  [1, ["a", 0, 1, 4], ["a", 0, 1, 4], "unmap keep, map"],
  [2, ["a", 0, 1, 4], ["a", 0, 1, 9], "unmap, map"],
  [3, ["a", 0, 1, 4], ["b", 0, 1, 4], "unmap, map"],
  [4, ["a", 0, 1, 4], ["a", 0, 2, 4], "unmap keep, map"],
  [5, ["a", 0, 2, 4], ["b", 0, 1, 4], "remap next [1,2)@5, map"],
  [6, ["a", 0, 2, 4], ["a", 0, 1, 4], "remap next [1,2)@5 keep, map"],
  [7, ["a", 0, 2, 4], ["b", 1, 2, 9], "remap prev [0,1)@4, map"],
  [8, ["a", 0, 2, 4], ["a", 1, 2, 5], "remap prev [0,1)@4 keep, map"],
  [9, ["a", 0, 2, 4], ["b", 1, 3, 9], "remap prev [0,1)@4, map"],
  [10, ["a", 0, 2, 4], ["a", 1, 3, 5], "remap prev [0,1)@4 keep, map"],
  [11, ["a", 0, 3, 4], ["b", 1, 2, 9], "remap prev [0,1)@4 next [2,3)@6, map"],
  [12, ["a", 0, 3, 4], ["a", 1, 2, 5], "remap prev [0,1)@4 next [2,3)@6 keep, map"],
  [13, ["a", 1, 2, 5], ["a", 0, 2, 4], "unmap keep, map"],
  [14, ["a", 1, 2, 5], ["a", 0, 3, 4], "unmap keep, map"],
  // The text says n + 2 for the piece that stays; the code, which is the reference, says n + 1.
  [15, ["a", 1, 3, 4], ["b", 0, 2, 9], "remap next [2,3)@5, map"],
];

function words(op: GpuvmOp): string {
  if (op.kind === "unmap") return op.keep ? "unmap keep" : "unmap";
  if (op.kind !== "remap") return op.kind;
  const piece = (p: { addr: number; range: number; offset: number }) =>
    `[${p.addr / U},${(p.addr + p.range) / U})@${p.offset / U}`;
  return [
    "remap",
    ...(op.hasPrev ? [`prev ${piece(op.prev)}`] : []),
    ...(op.hasNext ? [`next ${piece(op.next)}`] : []),
    ...(op.unmap.keep ? ["keep"] : []),
  ].join(" ");
}

describe("the fifteen documented situations", () => {
  it.each(CASES)("%i", (_, [oldObject, a, e, o], [newObject, s, t, ro], expected) => {
    const gems = new GemObjects();
    const objects = { a: new GemObject(gems, 2 ** 40), b: new GemObject(gems, 2 ** 40) };
    const vm = new Gpuvm({ range: 2 ** 47, gems });
    vm.insert(a * U, (e - a) * U, objects[oldObject], o * U);
    const ops = vm.smMapOps({ addr: s * U, range: (t - s) * U, gem: objects[newObject], offset: ro * U });
    expect(ops.map(words).join(", ")).toBe(expected);
  });
});
