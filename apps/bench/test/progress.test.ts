import { afterEach, expect, it, vi } from "vitest";
import { Progress } from "../src/text/progress.ts";

afterEach(() => {
  vi.useRealTimers();
});

function progress(terminal: boolean): { bar: Progress; written: string[] } {
  const written: string[] = [];
  const bar = new Progress({
    out: () => {},
    err: (text) => written.push(text),
    flush: () => {},
    save: async () => {},
    outIsTerminal: terminal,
    errIsTerminal: terminal,
  });
  return { bar, written };
}

it("is silent for a second, then rewrites one line, and takes it away", () => {
  vi.useFakeTimers();
  const { bar, written } = progress(true);
  bar.show(() => "early");
  vi.advanceTimersByTime(1001);
  bar.show(() => "one");
  bar.show(() => "too soon");
  vi.advanceTimersByTime(101);
  bar.show(() => "two");
  bar.done();
  bar.done();
  expect(written).toEqual(["\r\x1b[Kone", "\r\x1b[Ktwo", "\r\x1b[K"]);
});

it("is silent in a pipe", () => {
  vi.useFakeTimers();
  const { bar, written } = progress(false);
  vi.advanceTimersByTime(5000);
  bar.show(() => "never");
  bar.done();
  expect(written).toEqual([]);
});
