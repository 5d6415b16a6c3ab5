/** The counts of a trace hold what its open files hold together, whichever way their mappings come and go. */

import { type Action, type BindOp, eventOf, TraceCounter, type TraceIoctl } from "@vmbind/trace";
import fc from "fast-check";
import { expect, it } from "vitest";

const CALL: TraceIoctl = {
  kind: "ioctl",
  line: 2,
  seq: 0,
  ioctl: "X",
  file: 0,
  request: 0,
  argIn: new Uint8Array(0),
  argOut: new Uint8Array(0),
  arrays: [],
  ret: 0,
};

const text = "";
const op: fc.Arbitrary<BindOp> = fc.record({
  heading: fc.constantFrom("MAP", "UNMAP"),
  effect: fc.constantFrom("map", "map", "unmap", "unmap-at", "unmap-object", "none"),
  addr: fc.integer({ min: 0, max: 40 }),
  range: fc.integer({ min: 0, max: 12 }),
  handle: fc.integer({ min: 0, max: 3 }),
  offset: fc.constant(0),
  flags: fc.constant(0),
});
const vm = fc.integer({ min: 1, max: 2 });
const handle = fc.integer({ min: 1, max: 3 });
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("bind"), vm, ops: fc.array(op), text: fc.constant(text) }),
  },
  fc.record({ kind: fc.constantFrom("vm-create", "vm-create", "vm-destroy"), vm, text: fc.constant(text) }),
  fc.record({ kind: fc.constant("bo-create"), handle, size: fc.constant(4096), text: fc.constant(text) }),
  fc.record({ kind: fc.constant("bo-close"), handle, text: fc.constant(text) }),
);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ file: fc.nat(2), action }) },
  fc.record({ file: fc.nat(2), action: fc.constant(null) }),
);

it("are the sums over all VMs of all files", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.boolean(), (steps, closeUnmaps) => {
      const counter = new TraceCounter({ headings: [], closeUnmaps, fileVm: 1 });
      let most = 0;
      for (const { file, action } of steps) {
        const mark = `file-close ${file}`;
        if (action === null) counter.mark({ kind: "mark", line: 1, mark, exec: null }, eventOf(mark));
        else counter.ioctl({ ...CALL, file }, action);
        const spaces = [...counter.files.values()].flatMap(({ vms }) => [...vms.values()]);
        const sum = spaces.reduce((all, space) => all + space.intervals.length, 0);
        const bare = spaces.flatMap(({ intervals }) => intervals).filter(({ object }) => object === 0).length;
        if (action?.kind === "bind") most = Math.max(most, bare);
        const { intervals } = counter.result();
        expect(intervals.mappingsAtEnd).toBe(sum);
        expect(intervals.peakMappings).toBeGreaterThanOrEqual(intervals.peakMappingsAfterIoctl);
        expect(intervals.peakWithoutObject).toBe(most);
      }
    }),
    { numRuns: 500 },
  );
});
