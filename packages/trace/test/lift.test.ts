/** Lifting, on actions as a lens would hand them: what a driver says, and what an application has asked for. */
import {
  type Action,
  type BindOp,
  canonicalSteps,
  type LiftedStep,
  Lifter,
  type SparseWord,
  type TraceRecord,
} from "@vmbind/trace";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const UNBOUND: SparseWord = { says: "unbound" };

interface Line {
  record: TraceRecord;
  action: Action | null;
}

/** A trace in the making. */
class Recording {
  readonly lines: Line[] = [];
  #seq = 0;
  file = 0;
  vm = 1;

  mark(mark: string): this {
    this.lines.push({ record: { kind: "mark", line: 0, mark, exec: null }, action: null });
    return this;
  }

  #call(action: Action, ret = 0): this {
    const bytes = new Uint8Array();
    const call = { ioctl: "", request: 0, argIn: bytes, argOut: bytes, arrays: [] };
    const record = { kind: "ioctl", line: 0, seq: this.#seq++, file: this.file, ret, ...call } as const;
    this.lines.push({ record, action });
    return this;
  }

  bo(handle: number, size: number): this {
    return this.#call({ kind: "bo-create", handle, size, text: "" });
  }

  close(handle: number): this {
    return this.#call({ kind: "bo-close", handle, text: "" });
  }

  bind(ops: readonly BindOp[], more = false, ret = 0): this {
    return this.#call({ kind: "bind", vm: this.vm, ops, more, text: "" }, ret);
  }

  destroyVm(): this {
    return this.#call({ kind: "vm-destroy", vm: this.vm, text: "" });
  }
}

function op(effect: BindOp["effect"], addr: number, range: number, rest: Partial<BindOp> = {}): BindOp {
  return { heading: "", effect, addr, range, handle: 0, offset: 0, flags: 0, ...rest };
}

const map = (addr: number, range: number, handle: number, offset = 0) =>
  op("map", addr, range, { handle, offset });
const unbound = (addr: number, range: number) => op("map", addr, range, { sparse: UNBOUND });
const unmap = (addr: number, range: number) => op("unmap", addr, range);

function lift({ lines }: Recording, closeUnmaps = false, seams?: ReadonlyMap<number, number>) {
  const steps: LiftedStep[] = [];
  const lifter = new Lifter({ closeUnmaps }, (step) => steps.push(step), seams);
  for (const { record, action } of lines) lifter.take(record, action);
  lifter.end();
  return { steps, lifter };
}

/** A step in short. */
function inShort(step: LiftedStep): string {
  switch (step.step) {
    case "create":
      return `create ${step.resource.name} ${step.resource.va}+${step.resource.bytes}`;
    case "destroy":
      return `destroy ${step.resource.name}`;
    case "allocate":
      return `allocate ${step.memory.name} ${step.memory.bytes} at ${step.va}`;
    case "free":
      return `free ${step.memory.name}`;
    case "map":
      return `map ${step.va}+${step.size} ${step.memory?.object.name} + ${step.memory?.offset}`;
    case "unmap":
      return `unmap ${step.va}+${step.size}`;
    case "hole":
      return `hole ${step.resource.name} ${step.offset}+${step.size} by ${step.because}`;
    case "bind": {
      const binds = step.binds.map(({ offset, size, memory, op: index }) => {
        const what = memory === null ? "-" : `${memory.object.name}+${memory.offset}`;
        return `${offset}+${size}=${what}@${index}`;
      });
      return `bind ${step.resource.name} ${binds.join(" ")}`;
    }
  }
}

/** Steps in short, behind the ioctls that they came from. */
function say(recording: Recording, closeUnmaps = false): string[] {
  return lift(recording, closeUnmaps).steps.map((step) => {
    const { first, last } = step.from;
    return `#${first}${last === first ? "" : `-${last}`} ${inShort(step)}`;
  });
}

describe("resources", () => {
  it("begin where an unbound range is in none, and end with an unmap of the whole", () => {
    const recording = new Recording().bind([unbound(100, 50)]).bind([unmap(90, 70)]);
    expect(say(recording)).toEqual(["#0 create resource#1 100+50", "#1 destroy resource#1"]);
  });

  it("are one where pieces go on, within an ioctl and over those that go on", () => {
    const recording = new Recording()
      .bind([unbound(100, 10), unbound(110, 10)], true)
      .bind([unbound(120, 10)])
      .bind([unbound(130, 10)]);
    expect(say(recording)).toEqual(["#0-1 create resource#1 100+30", "#2 create resource#2 130+10"]);
  });

  it("are two where a mark lies between pieces that touch", () => {
    const recording = new Recording()
      .bind([unbound(100, 10)], true)
      .mark("create n=1")
      .bind([unbound(110, 10)]);
    expect(say(recording)).toEqual(["#0 create resource#1 100+10", "#1 create resource#2 110+10"]);
  });

  it("that touch and were made by ioctls that seem to go on are told apart when one goes", () => {
    const recording = new Recording()
      .bind([unbound(100, 10)], true)
      .bind([unbound(110, 10)], true)
      .bind([unbound(120, 10)])
      .bind([unmap(120, 10)]);
    const { lifter } = lift(recording);
    expect(lifter.seamsFound).toEqual(new Map([[2, 120]]));
    const { steps } = lift(recording, false, lifter.seamsFound);
    expect(canonicalSteps(steps)).toEqual([
      { step: "create", resource: 1, bytes: 20 },
      { step: "create", resource: 2, bytes: 10 },
      { step: "destroy", resource: 2 },
    ]);
  });

  it("end when all of their parts are unmapped, each a hole before", () => {
    const recording = new Recording().bind([unbound(100, 20)]).bind([unmap(100, 10), unmap(110, 10)]);
    expect(say(recording)).toEqual([
      "#0 create resource#1 100+20",
      "#1 hole resource#1 0+10 by range",
      "#1 hole resource#1 10+10 by range",
      "#1 destroy resource#1",
    ]);
  });

  it("that are alive when their VM goes are left", () => {
    const recording = new Recording().bind([unbound(100, 20)]);
    expect([...lift(recording).lifter.living()]).toHaveLength(1);
    expect([...lift(recording.destroyVm()).lifter.living()]).toHaveLength(0);
  });

  it("of two VMs have nothing to do with each other", () => {
    const recording = new Recording().bind([unbound(100, 20)]);
    recording.vm = 2;
    recording.bind([unbound(100, 20)]).bind([unmap(100, 20)]);
    recording.vm = 1;
    recording.bind([unbound(110, 10)]);
    expect(say(recording)).toEqual([
      "#0 create resource#1 100+20",
      "#1 create resource#2 100+20",
      "#2 destroy resource#2",
      "#3 bind resource#1 10+10=-@0",
    ]);
  });
});

describe("binds", () => {
  const made = () =>
    new Recording()
      .bo(7, 64)
      .bind([map(1000, 64, 7)])
      .bind([unbound(100, 60)]);
  const MADE = ["#0-1 allocate BO 7 64 at 1000", "#2 create resource#1 100+60"];

  it("are what an ioctl says inside a resource, with the operation that says it", () => {
    const recording = made().bind([map(110, 10, 7, 4), unbound(130, 10)]);
    expect(say(recording)).toEqual([...MADE, "#3 bind resource#1 10+10=BO 7+4@0 30+10=-@1"]);
  });

  it("are one call where the list goes on, or where the client says so", () => {
    const goesOn = made()
      .bind([map(110, 10, 7)], true)
      .bind([map(130, 10, 7)])
      .bind([unbound(100, 5)]);
    expect(say(goesOn).slice(2)).toEqual([
      "#3-4 bind resource#1 10+10=BO 7+0@0 30+10=BO 7+0@0",
      "#5 bind resource#1 0+5=-@0",
    ]);
    const marked = made()
      .mark("bind-sparse call=0 buffer binds=2 unbinds=0")
      .bind([map(110, 10, 7)])
      .mark("exec")
      .bind([map(130, 10, 7)])
      .mark("bind-sparse call=1 buffer binds=0 unbinds=1")
      .bind([unbound(100, 5)]);
    expect(say(marked)).toEqual(say(goesOn));
  });

  it("that overlap within an ioctl are two, for the elements of one have no order", () => {
    const recording = made().bind([map(110, 10, 7), unbound(115, 10)]);
    expect(say(recording).slice(2)).toEqual([
      "#3 bind resource#1 10+10=BO 7+0@0",
      "#3 bind resource#1 15+10=-@1",
    ]);
  });

  it("over a border are cut there: what lies outside is a plain bind", () => {
    const recording = made().bind([map(150, 20, 7, 1)]);
    expect(say(recording).slice(2)).toEqual(["#3 bind resource#1 50+10=BO 7+1@0", "#3 map 160+10 BO 7 + 11"]);
  });

  it("are taken back where an unmap uncovers what lies below", () => {
    const uncover = op("unmap", 110, 10, { sparse: { says: "uncover" } });
    const recording = made()
      .bind([map(110, 10, 7)])
      .bind([uncover]);
    expect(say(recording).slice(2)).toEqual([
      "#3 bind resource#1 10+10=BO 7+0@0",
      "#4 bind resource#1 10+10=-@0",
    ]);
  });

  it("of a second view, and what is said aside, are not told again", () => {
    const view = op("map", 5100, 60, { sparse: { says: "unbound", view: 5000 } });
    const aside = op("unmap", 100, 60, { sparse: { says: "aside" } });
    expect(say(made().bind([view]).bind([aside]))).toEqual(MADE);
  });

  it("have no step where the driver refused them", () => {
    const { steps, lifter } = lift(made().bind([map(110, 10, 7)], false, -22));
    expect(steps).toHaveLength(2);
    expect(lifter.refused).toEqual([3]);
  });
});

describe("plain mappings", () => {
  it("are kept: an object elsewhere, a part of one, what is unmapped", () => {
    const recording = new Recording()
      .bo(3, 32)
      .bind([map(0, 32, 3)])
      .bind([map(64, 32, 3)])
      .bind([map(128, 8, 3, 16)])
      .bind([unmap(64, 100)])
      .bind([unmap(0, 32)])
      .close(3);
    expect(say(recording)).toEqual([
      "#0-1 allocate BO 3 32 at 0",
      "#2 map 64+32 BO 3 + 0",
      "#3 map 128+8 BO 3 + 16",
      "#4 unmap 64+32",
      "#4 unmap 128+8",
      "#6 free BO 3",
    ]);
  });

  it("of an object go together: in a resource they leave holes", () => {
    const recording = new Recording()
      .bo(3, 32)
      .bind([unbound(100, 50)])
      .bind([map(110, 8, 3)])
      .bind([map(0, 32, 3)])
      .bind([op("unmap-object", 0, 0, { handle: 3 })])
      .close(3);
    expect(say(recording)).toEqual([
      "#1 create resource#1 100+50",
      "#0-2 allocate BO 3 32 at null",
      "#2 bind resource#1 10+8=BO 3+0@0",
      "#3 map 0+32 BO 3 + 0",
      "#4 unmap 0+32",
      "#4 hole resource#1 10+8 by object",
      "#5 free BO 3",
    ]);
  });

  it("go with the handle where the driver does so, and one by one at their address", () => {
    const made = () =>
      new Recording()
        .bo(3, 32)
        .bind([map(0, 32, 3)])
        .bind([map(64, 32, 3)]);
    expect(say(made().close(3), true).slice(2)).toEqual(["#3 unmap 64+32", "#3 free BO 3"]);
    expect(say(made().close(3)).slice(2)).toEqual(["#3 free BO 3"]);
    const at = (addr: number) => op("unmap-at", addr, 8, { handle: 3 });
    expect(
      say(
        made()
          .bind([at(64)])
          .bind([at(65)]),
      ).slice(2),
    ).toEqual(["#3 unmap 64+32"]);
  });

  it("name an object by its handle, and the next one under it by a number more", () => {
    const recording = new Recording()
      .bo(3, 8)
      .bind([map(0, 8, 3)])
      .close(3)
      .bo(3, 8)
      .bind([map(16, 8, 3)]);
    expect(say(recording)).toEqual([
      "#0-1 allocate BO 3 8 at 0",
      "#2 free BO 3",
      "#3-4 allocate BO 3 (2) 8 at 16",
    ]);
  });
});

it("addresses have names while a trace is read", () => {
  const { lifter } = lift(new Recording().bo(3, 8).bind([unbound(100, 50)]));
  expect(lifter.placeOf(0, 1, 110)).toMatchObject({ resource: { name: "resource#1" }, offset: 10 });
  expect(lifter.placeOf(0, 1, 150)).toBeNull();
  expect(lifter.placeOf(0, 2, 110)).toBeNull();
  expect(lifter.memoryOf(0, 3)?.name).toBe("BO 3");
});

describe("whatever is mapped", () => {
  const CELLS = 48;
  const range = fc.tuple(fc.nat(CELLS - 1), fc.integer({ min: 1, max: 12 }));
  const anyOp = fc.oneof(
    range.map(([addr, size]) => unbound(addr, Math.min(size, CELLS - addr))),
    fc
      .tuple(range, fc.integer({ min: 1, max: 3 }), fc.nat(5))
      .map(([[addr, size], handle, offset]) => map(addr, Math.min(size, CELLS - addr), handle, offset)),
    range.map(([addr, size]) => unmap(addr, Math.min(size, CELLS - addr))),
    fc.integer({ min: 1, max: 3 }).map((handle) => op("unmap-object", 0, 0, { handle })),
  );
  const call = fc.record({ ops: fc.array(anyOp, { maxLength: 4 }), more: fc.boolean(), mark: fc.boolean() });

  /** What the GPU finds at each address: `fault`, `unbound`, or a byte of an object. */
  function found(calls: readonly (readonly BindOp[])[]): string[] {
    const cells = Array<string>(CELLS).fill("fault");
    for (const { effect, addr, range: size, handle, offset, sparse } of calls.flat()) {
      for (let at = addr; at < addr + size; at++) {
        if (effect === "unmap") cells[at] = "fault";
        else if (effect === "map") cells[at] = sparse ? "unbound" : `BO ${handle}+${offset + at - addr}`;
      }
      if (effect !== "unmap-object") continue;
      for (const [at, cell] of cells.entries()) if (cell.startsWith(`BO ${handle}+`)) cells[at] = "fault";
    }
    return cells;
  }

  /** The same, after lifted steps; a resource must not begin over another, nor an element leave its own. */
  function afterSteps(steps: readonly LiftedStep[]): string[] {
    const cells = Array<string>(CELLS).fill("fault");
    const living = new Set<string>();
    const put = (addr: number, size: number, what: (at: number) => string): void => {
      for (let at = 0; at < size; at++) cells[addr + at] = what(at);
    };
    for (const step of steps) {
      if (step.step === "create") {
        expect(living.has(step.resource.name)).toBe(false);
        living.add(step.resource.name);
        put(step.resource.va, step.resource.bytes, () => "unbound");
      } else if (step.step === "destroy") {
        expect(living.delete(step.resource.name)).toBe(true);
        put(step.resource.va, step.resource.bytes, () => "fault");
      } else if (step.step === "hole") put(step.resource.va + step.offset, step.size, () => "fault");
      else if (step.step === "unmap") put(step.va, step.size, () => "fault");
      else if (step.step === "map") {
        put(step.va, step.size, (at) => `${step.memory?.object.name}+${(step.memory?.offset ?? 0) + at}`);
      } else if (step.step === "bind") {
        expect(living.has(step.resource.name)).toBe(true);
        for (const { offset, size, memory } of step.binds) {
          expect(offset + size).toBeLessThanOrEqual(step.resource.bytes);
          put(step.resource.va + offset, size, (at) =>
            memory === null ? "unbound" : `${memory.object.name}+${memory.offset + at}`,
          );
        }
      }
    }
    return cells;
  }

  it("the lifted steps come to the same, address by address", () => {
    fc.assert(
      fc.property(fc.array(call, { maxLength: 12 }), (calls) => {
        const recording = new Recording();
        for (const { ops, more, mark } of calls) {
          if (mark) recording.mark("bind-sparse call=0");
          recording.bind(ops, more);
        }
        expect(afterSteps(lift(recording).steps)).toEqual(found(calls.map(({ ops }) => ops)));
      }),
      { numRuns: 500 },
    );
  });
});
