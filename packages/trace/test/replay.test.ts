/** What a replay notices, on a recording that is bent, and on one with two open files. */
import {
  type Checker,
  replay,
  type Trace,
  type TraceEvent,
  type TraceIoctl,
  type TraceRecord,
} from "@vmbind/trace";
import { describe, expect, it } from "vitest";
import { open, recordsOf } from "../../../test/recordings.ts";
import { lens } from "../../panthor/src/trace.ts";

const NAME = "panthor-sparse-buffer-100e6";

/** The recording with other records. */
async function traceOf(records: readonly TraceRecord[]): Promise<Trace> {
  const again = async function* () {
    yield* records;
  };
  return { ...(await open(NAME)), records: again() };
}

/** The recording with one ioctl changed. */
async function bent(ioctl: string, change: (call: TraceIoctl) => Partial<TraceIoctl>): Promise<Trace> {
  const records = await recordsOf(NAME);
  const at = records.findIndex((r) => r.kind === "ioctl" && r.ioctl === ioctl);
  const call = records[at] as TraceIoctl;
  records[at] = { ...call, ...change(call) };
  return traceOf(records);
}

describe("the quirks of the model", () => {
  const quirksOf = async (quirks?: unknown): Promise<string> => {
    const trace = await open(NAME);
    const header = { ...trace.header, ...(quirks === undefined ? {} : { quirks }) };
    return (await replay({ ...trace, header }, lens)).quirks;
  };

  it("are those of the profile of recordings where the header names none", async () => {
    expect(await quirksOf()).toBe("quirks of linux-7.3 (recoveryScanFromStart)");
    expect(await quirksOf("linux-7.3")).toBe(await quirksOf());
  });

  it("are those that the header lists", async () => {
    expect(await quirksOf([])).toBe("no quirks");
    expect(await quirksOf(["deviceWideDummy"])).toBe("quirks deviceWideDummy");
  });

  it("are refused where there are none of the name", async () => {
    await expect(quirksOf("linux-7.4")).rejects.toThrow(
      'header.quirks: expected "ideal" or "linux-7.3" or "as-posted-v5", got "linux-7.4"',
    );
    await expect(quirksOf(["none"])).rejects.toThrow(/header\.quirks\.0: expected .*, got "none"/);
    await expect(quirksOf(7)).rejects.toThrow(/header\.quirks: expected a list, got 7/);
  });
});

describe("what differs is noticed", () => {
  it("in the result", async () => {
    const { differences } = await replay(await bent("PANTHOR_BO_CREATE", () => ({ ret: -12 })), lens);
    expect(differences[0]).toMatchObject({ what: "ret", expected: "-12 ENOMEM", got: "0", seq: 1 });
  });

  it("in the bytes that come back", async () => {
    const other = await bent("PANTHOR_BO_CREATE", ({ argOut }) => ({ argOut: argOut.map((b) => b ^ 1) }));
    const { differences } = await replay(other, lens);
    expect(differences[0]).toMatchObject({ what: "arg_out", expected: expect.stringMatching(/^byte 0: /) });
  });

  it("in the mappings", async () => {
    // The plain model follows what is recorded as done; the driver's refuses an unaligned size.
    const other = await bent("PANTHOR_VM_BIND", ({ arrays: [ops] }) => {
      if (ops === undefined) throw new Error("no ops");
      const data = ops.data.slice();
      data[24] = 1;
      return { arrays: [{ ...ops, data }] };
    });
    const { differences } = await replay(other, lens);
    expect(differences.map(({ what }) => what)).toEqual(expect.arrayContaining(["ret", "mappings"]));
    expect(differences.find(({ what }) => what === "ret")?.reason).toMatch(/0x1001/);
  });
});

describe("two open files", () => {
  /** Everything twice: each ioctl of the recording by file 0, then by file 1. */
  async function doubled(behind: readonly TraceRecord[] = []): Promise<Trace> {
    const calls = (await recordsOf(NAME)).filter((r) => r.kind === "ioctl");
    const twice = calls.flatMap((call) => [call, { ...call, file: 1 }]);
    return traceOf([...twice.map((call, seq) => ({ ...call, seq })), ...behind]);
  }

  it("have handles, VMs and plain models of their own", async () => {
    const once = await replay(await open(NAME), lens);
    const { differences, counts } = await replay(await doubled(), lens);
    expect(differences).toEqual([]);
    expect([counts.ioctls, counts.vmCreates, counts.bindOps]).toEqual([
      2 * once.counts.ioctls,
      2 * once.counts.vmCreates,
      2 * once.counts.bindOps,
    ]);
  });

  it("a mapping of the second is compared, and named with its file", async () => {
    const records = await recordsOf(NAME);
    const calls = records.filter((r) => r.kind === "ioctl").slice(0, 3);
    const second = calls.map((call) => ({ ...call, file: 1 }));
    const all = [...calls, ...second].map((call, seq) => ({ ...call, seq }));
    const { mappedAtEnd, differences } = await replay(await traceOf(all), lens);
    expect(differences).toEqual([]);
    expect(mappedAtEnd.map(({ file, vm }) => [file, vm])).toEqual([
      [undefined, 1],
      [1, 1],
    ]);
    const close: TraceRecord = { kind: "mark", line: 99, mark: "file-close 1", exec: null };
    expect((await replay(await traceOf([...all, close]), lens)).mappedAtEnd).toHaveLength(1);
  });
});

it("more checkers are asked first, around each call", async () => {
  const seen: string[] = [];
  const result = await replay(
    await open(NAME),
    lens,
    {},
    {
      checkers: ({ device, report }): Checker[] => [
        {
          beforeCall: ({ request }) => void seen.push(`before ${request}`),
          afterCall: ({ request }) => void seen.push(`after ${request}`),
          end: () => report("mine", "no file", `${device.files.length} files`),
          closed: () => seen.push(`${device.files.length} files`),
        },
      ],
    },
  );
  expect(seen).toHaveLength(2 * result.counts.ioctls + 1);
  expect(seen.at(-1)).toBe("0 files");
  expect(result.differences).toMatchObject([{ what: "mine", got: "1 files" }]);
});

describe("what happens without an ioctl", () => {
  const mark = (text: string): TraceRecord => ({ kind: "mark", line: 1, mark: text, exec: null });

  /** The recording with a mark in front of the VM_BIND of a number, and what the GPU saw behind that call. */
  async function behind(bind: number, marks: readonly string[], facts = {}): Promise<(string | number)[]> {
    const records = await recordsOf(NAME);
    const binds = records.flatMap((r, i) => (r.kind === "ioctl" && r.ioctl === "PANTHOR_VM_BIND" ? [i] : []));
    records.splice(binds[bind] as number, 0, ...marks.map(mark));
    const trace = await traceOf(records);
    const seen: (string | number)[] = [];
    const checkers = () => [
      { afterEvent: (event: TraceEvent, ret: number) => void seen.push(event.kind, ret) },
    ];
    const header = { ...trace.header, ...facts };
    const { differences } = await replay({ ...trace, header }, lens, {}, { checkers });
    return [...seen, ...differences.slice(0, 1).map(({ what, got }) => `${what} ${got}`)];
  }

  it("is let happen by replay, and its refusals are told", async () => {
    expect(await behind(1, ["evict 0 1", "restore 0"])).toEqual(["evict", 0, "restore", 0]);
    expect(await behind(1, ["evict 0 77"])).toEqual(["evict", -22]);
    expect(await behind(1, ["evict 5 1", "share 0 1 9"])).toEqual(["evict", -9, "share", -9]);
    expect(await behind(1, ["fence 0 1 1", "signal 1", "signal 1"])).toEqual([
      "fence",
      0,
      "signal",
      0,
      "signal",
      0,
    ]);
  });

  it("may be an allocation that fails, where the header says so", async () => {
    expect(await behind(1, ["fault 1"])).toEqual(["fault", -95]);
    expect(await behind(1, ["fault 0"], { alloc_faults: true })).toEqual(["fault", 0]);
    expect(await behind(1, ["fault 1"], { alloc_faults: true })).toEqual([
      "fault",
      0,
      expect.stringMatching(/^ret -12 ENOMEM/),
    ]);
    await expect(behind(1, [], { alloc_faults: 1 })).rejects.toThrow(/alloc_faults: expected true or false/);
  });

  it("may leave a call waiting until the end, when all fences signal", async () => {
    // The client's calls wait for nothing of a later number.
    expect(await behind(1, ["fence 0 1 1", "fence 0 2 2"])).toEqual(["fence", 0, "fence", 0]);
  });
});
