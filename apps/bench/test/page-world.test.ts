/** What the naive model of a device allows after calls that move objects without saying so. */

import { describe, expect, it } from "vitest";
import type { Meaning } from "../src/fuzz/meaning.ts";
import { PageWorld } from "../src/fuzz/page-world.ts";

const PAGE = 4096;
const OBJECT = 2;

const NULL_PAGE = {
  kind: "range",
  va: 32 * PAGE,
  bytes: PAGE,
  shows: { kind: "null" },
  access: "rw",
  promised: false,
} as const;

function bind(va: number): Meaning {
  const shows = { kind: "object", handle: OBJECT, offset: 0, window: 0 } as const;
  const op = { kind: "range", va, bytes: PAGE, shows, access: "rw", promised: false } as const;
  return { kind: "queue", vm: 1, jobs: [{ ops: [op], waits: [], signals: [] }], queue: 0 };
}

/** A VM with one page bound to an object. */
function boundWorld(wanders: boolean): PageWorld {
  const world = new PageWorld({
    pageBytes: PAGE,
    closeUnbinds: false,
    spaceFirst: true,
    idleJobsPass: true,
    remapsInPlace: false,
  });
  world.called(0, { kind: "vm", vm: 1, unbound: "fault", keepsPromises: true });
  world.called(0, { kind: "object", handle: OBJECT, wanders });
  world.called(0, bind(16 * PAGE));
  return world;
}

function mayBeMissing(world: PageWorld, va: number): boolean | undefined {
  const [[, , vm] = []] = [...world.vms()];
  return [...(vm?.log.places() ?? [])].find((place) => place.va === va)?.advised;
}

describe("a bind in which something was given up", () => {
  it.each([
    ["may leave the pages of an object missing that it moved", true],
    ["leaves the pages of an object that stays where they are", false],
  ])("%s", (_, wanders) => {
    const world = boundWorld(wanders);
    expect(mayBeMissing(world, 16 * PAGE)).toBe(false);
    world.called(0, bind(64 * PAGE));
    world.starved(0, bind(64 * PAGE));
    expect(mayBeMissing(world, 16 * PAGE)).toBe(wanders);
    world.called(0, bind(16 * PAGE));
    expect(mayBeMissing(world, 16 * PAGE)).toBe(false);
  });
});

describe("a bind that was refused while jobs wait", () => {
  it.each([
    ["may have moved an object that wanders", true],
    ["has moved nothing else", false],
  ])("%s", (_, wanders) => {
    const world = boundWorld(wanders);
    world.happened({ kind: "fence", file: 0, syncobj: 1, fence: 1 }, 0);
    const waits = [{ syncobj: 1, point: 0 }];
    world.called(0, { kind: "queue", vm: 1, jobs: [{ ops: [NULL_PAGE], waits, signals: [] }], queue: 0 });
    world.refused(0, bind(64 * PAGE));
    expect(world.moving).toBe(wanders);
    world.happened({ kind: "signal", fence: 1 }, 0);
    expect(world.moving).toBe(false);
  });
});
