/** The shared file against a naive memory, with clients that punch late. */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Span } from "../src/ranges.ts";
import { SharedMemory } from "../src/shared-memory.ts";

const PAGE = 4096;
const PAGES = 2048;
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "vmbind-test-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A client: it punches what it is told to when it gets to it. */
class Client {
  readonly #fd: number;
  holes: readonly Span[] = [];

  constructor(path: string) {
    this.#fd = openSync(path, "r+");
  }

  punch(memory: SharedMemory): void {
    for (const { at, bytes } of this.holes) writeSync(this.#fd, Buffer.alloc(bytes), 0, bytes, at);
    this.holes = [];
    memory.punched(this);
  }

  read(at: number, into: Uint8Array): void {
    into.fill(0);
    readSync(this.#fd, into, 0, into.length, at);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

const page = fc.nat(PAGES - 1);
const step = fc.oneof(
  fc.record({ kind: fc.constant("write"), page, value: fc.integer({ min: 1, max: 255 }) }),
  fc.record({ kind: fc.constant("discard"), page, pages: fc.integer({ min: 1, max: PAGES }) }),
  fc.record({ kind: fc.constant("map"), page, pages: fc.integer({ min: 1, max: 256 }), who: fc.nat(1) }),
  fc.record({ kind: fc.constant("answer"), who: fc.nat(1) }),
  fc.record({ kind: fc.constant("punch"), who: fc.nat(1) }),
);

test("reads see what was written since the last discard, whoever punches when", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const memory = new SharedMemory(folder);
      const clients = [new Client(memory.path), new Client(memory.path)] as const;
      const naive = new Uint8Array(PAGES);
      const bytes = new Uint8Array(8);
      try {
        for (const it of steps) {
          if (it.kind === "write" && "value" in it) {
            memory.write(it.page * PAGE + 16, new Uint8Array([it.value]));
            naive[it.page] = it.value;
          } else if (it.kind === "discard" && "pages" in it) {
            const count = Math.min(it.pages, PAGES - it.page);
            memory.discard(it.page * PAGE, count * PAGE);
            naive.fill(0, it.page, it.page + count);
          } else if ("who" in it) {
            const client = clients[it.who] as Client;
            if (it.kind === "punch") client.punch(memory);
            else if (it.kind === "answer" && client.holes.length === 0)
              client.holes = memory.holesFor(client);
            else if (it.kind === "map" && "pages" in it && client.holes.length === 0) {
              const count = Math.min(it.pages, PAGES - it.page);
              const ready = memory.prepare([{ at: it.page * PAGE, bytes: count * PAGE }], client);
              if (Array.isArray(ready)) client.holes = ready;
              if (ready === "ready") expectFile(memory, naive, it.page, count);
            }
          }
          memory.read((it.kind === "write" && "page" in it ? it.page : 0) * PAGE + 16, bytes);
        }
        for (let i = 0; i < PAGES; i++) {
          memory.read(i * PAGE + 16, bytes);
          if (bytes[0] !== naive[i])
            expect({ page: i, value: bytes[0] }).toEqual({ page: i, value: naive[i] });
        }
        for (const client of clients) memory.leave(client);
        expect(memory.prepare([{ at: 0, bytes: PAGES * PAGE }], clients[0])).not.toBe("wait");
      } finally {
        for (const client of clients) client.close();
        memory.close();
      }
    }),
    { numRuns: 60 },
  );
});

/** What a client sees that maps now is the file itself. */
function expectFile(memory: SharedMemory, naive: Uint8Array, first: number, count: number): void {
  const client = new Client(memory.path);
  const bytes = new Uint8Array(1);
  for (let i = first; i < first + count; i++) {
    client.read(i * PAGE + 16, bytes);
    if (bytes[0] !== naive[i]) expect({ file: i, value: bytes[0] }).toEqual({ file: i, value: naive[i] });
  }
  client.close();
}

test("a hole that is being punched is nobody else's to map", () => {
  const memory = new SharedMemory(folder);
  const [first, second] = [{}, {}];
  memory.discard(0, PAGES * PAGE);
  const all = [{ at: 0, bytes: PAGES * PAGE }];
  expect(memory.prepare(all, first)).toEqual(all);
  expect(memory.prepare(all, second)).toBe("wait");
  let told = 0;
  memory.onPunched(() => told++);
  memory.punched(first);
  expect(told).toBe(1);
  expect(memory.prepare(all, second)).toBe("ready");
  memory.close();
});

test("who goes away without punching leaves the holes to the next", () => {
  const memory = new SharedMemory(folder);
  const [first, second] = [{}, {}];
  memory.discard(0, PAGES * PAGE);
  const all = [{ at: 0, bytes: PAGES * PAGE }];
  memory.prepare(all, first);
  memory.leave(first);
  expect(memory.prepare(all, second)).toEqual(all);
  memory.close();
});
