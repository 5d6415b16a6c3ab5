/** What a replay notices, on a recording that is bent, and on one with two open files. */
import { type Checker, replay, type Trace, type TraceIoctl, type TraceRecord } from "@vmbind/trace";
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
      'header.quirks: expected "linux-7.3", got "linux-7.4"',
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
