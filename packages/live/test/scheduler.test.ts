/** Waits: when they end, and that none keeps another from going on. */
import { expect, test } from "vitest";
import { monotonicNow, Scheduler } from "../src/scheduler.ts";

const IDLE = () => false;

function later<T>(waiting: boolean | { came: Promise<T> }): Promise<T> {
  if (typeof waiting === "boolean") throw new Error("it did not wait");
  return waiting.came;
}

test("what has come is not waited for, what is over neither", () => {
  const scheduler = new Scheduler(IDLE);
  expect(scheduler.until({ ready: () => true, deadline: null })).toBe(true);
  expect(scheduler.until({ ready: () => false, deadline: monotonicNow() - 1n })).toBe(false);
  expect(scheduler.until({ ready: () => false, deadline: 0n })).toBe(false);
});

test("the hardware gets its turn before anybody waits", () => {
  let done = false;
  const scheduler = new Scheduler(() => {
    done = true;
    return false;
  });
  expect(scheduler.until({ ready: () => done, deadline: 0n })).toBe(true);
});

test("a watched wait ends with what it watches, and looks again where that was not it", async () => {
  const scheduler = new Scheduler(IDLE);
  let count = 0;
  let look = () => {};
  const wait = later(
    scheduler.until({
      ready: () => count >= 2,
      deadline: null,
      watch: (next) => {
        look = next;
      },
    }),
  );
  count = 1;
  look();
  count = 2;
  look();
  expect(await wait).toBe(true);
});

test("a deadline ends it, not early", async () => {
  const scheduler = new Scheduler(IDLE);
  const from = monotonicNow();
  expect(await later(scheduler.until({ ready: () => false, deadline: from + 20_000_000n }))).toBe(false);
  expect(monotonicNow() - from).toBeGreaterThanOrEqual(20_000_000n);
  scheduler.close();
});

test("work that goes on is asked for again until it is done", async () => {
  let left = 3;
  const scheduler = new Scheduler(() => left > 0 && --left > 0);
  expect(await later(scheduler.until({ ready: () => left === 0, deadline: null }))).toBe(true);
});

test("what cannot be found out any more ends the wait and no other", async () => {
  const scheduler = new Scheduler(IDLE);
  let broken = false;
  let come = false;
  const bad = later(
    scheduler.until({
      ready: () => {
        if (broken) throw new Error("the process is gone");
        return false;
      },
      deadline: null,
    }),
  );
  const good = later(scheduler.until({ ready: () => come, deadline: null }));
  broken = true;
  await expect(bad).rejects.toThrow("the process is gone");
  come = true;
  expect(await good).toBe(true);
});

test("nobody waits for who is gone", async () => {
  const scheduler = new Scheduler(IDLE);
  let asked = 0;
  const waiting = scheduler.until({ ready: () => ++asked < 0, deadline: null });
  if (typeof waiting === "boolean") throw new Error("it did not wait");
  waiting.cancel();
  expect(await waiting.came).toBe(false);
  const before = asked;
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(asked).toBe(before);
});
