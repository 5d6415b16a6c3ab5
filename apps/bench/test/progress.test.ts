import { afterEach, expect, it, vi } from "vitest";
import type { Io } from "../src/io.ts";
import { Bar } from "../src/jobs/bar.ts";
import { Progress } from "../src/text/progress.ts";

afterEach(() => {
  vi.useRealTimers();
});

function progress(world: Partial<Io>): { bar: Progress; written: string[] } {
  const written: string[] = [];
  return { bar: new Progress(io(written, world)), written };
}

function io(written: string[], world: Partial<Io>): Io {
  return {
    out: () => {},
    flush: () => {},
    err: (text) => written.push(text),
    save: async () => {},
    outIsTerminal: false,
    errIsTerminal: false,
    ...world,
  };
}

it("is silent for a second, then rewrites one line, and takes it away", () => {
  vi.useFakeTimers();
  const { bar, written } = progress({ errIsTerminal: true });
  bar.show(() => "early");
  vi.advanceTimersByTime(1001);
  bar.show(() => "one");
  bar.show(() => "too soon");
  vi.advanceTimersByTime(101);
  bar.show(() => "two");
  bar.tell("what a terminal shows anyway");
  bar.done();
  bar.done();
  expect(written).toEqual(["\r\x1b[Kone", "\r\x1b[Ktwo", "\r\x1b[K"]);
});

it("is never wider than the terminal", () => {
  vi.useFakeTimers();
  const { bar, written } = progress({ errIsTerminal: true, columns: 10 });
  vi.advanceTimersByTime(1001);
  bar.show(() => "0123456789abc");
  expect(written).toEqual(["\r\x1b[K012345678"]);
});

it("in a log is a line for each part that is done, and every ten seconds", () => {
  vi.useFakeTimers();
  const { bar, written } = progress({ progressLines: true });
  vi.advanceTimersByTime(9_999);
  bar.show(() => "too soon");
  vi.advanceTimersByTime(1);
  bar.show(() => "still at it");
  bar.show(() => "too soon again");
  bar.tell("done\u001b");
  bar.done();
  expect(written).toEqual(["still at it\n", "done\\u001b\n"]);
});

it("is silent for whoever wants no lines", () => {
  vi.useFakeTimers();
  const { bar, written } = progress({});
  vi.advanceTimersByTime(50_000);
  bar.show(() => "never");
  bar.tell("never");
  bar.done();
  expect(written).toEqual([]);
});

it("of many jobs is a line for each group that is complete", () => {
  const written: string[] = [];
  const bar = new Bar(
    io(written, { progressLines: true }),
    new Map([
      ["first", 2],
      ["second", 1],
    ]),
  );
  bar.step("first, a", "first");
  bar.step("second, a", "second");
  bar.step("first, b", "first");
  bar.close();
  expect(written).toEqual(["2/3 second\n", "3/3 first\n"]);
});
