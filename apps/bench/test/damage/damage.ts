/**
 * Damaged files from seeds: every file of a corpus is a valid one with one to three things done to it that happen to files, or
 * that somebody does to them on purpose. The same seed gives the same bytes, so a file is never kept: its number is enough.
 */
import { gzipSync } from "node:zlib";
import { xorshift32 } from "@vmbind/mmu";

/** Draws a number below its argument. */
export type Draw = (below: number) => number;

/** @param seed - any integer from 0 */
export function drawsOf(seed: number): Draw {
  const next = xorshift32((Math.imul(seed + 1, 0x9e3779b1) ^ 0x5bd1e995) >>> 0 || 1);
  for (let i = 0; i < 8; i++) next();
  return (below) => next() % below;
}

/** A damaged file. */
export interface Damaged {
  /** What was done, in order. */
  names: string[];
  bytes: Uint8Array;
}

/** One kind of damage to the lines of a text; a workload is a text of one line. */
type Damage = (lines: string[], draw: Draw) => string[];

function pick<T>(items: readonly T[], draw: Draw): T {
  return items[draw(items.length)] as T;
}

/** Numbers at the edges of what formats, doubles and 64 bits hold. */
const NUMBERS: readonly unknown[] = [
  0,
  -1,
  1,
  2,
  7,
  255,
  4096,
  65537,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 40 - 1,
  2 ** 40,
  2 ** 48,
  2 ** 53 - 1,
  2 ** 53,
  1e300,
  -(2 ** 53),
  0.5,
  "0x0",
  "0x1",
  "0xfff",
  "0x1000",
  "0xffffffff",
  "0xfffffffffffff000",
  "0xffffffffffffffff",
  "0x10000000000000000",
  "-0x1",
  "0x",
  "NaN",
];

const OF_OTHER_TYPES: readonly unknown[] = [
  null,
  true,
  false,
  "",
  "text",
  [],
  {},
  [[]],
  [null],
  { a: 1 },
  3.25,
  "\ud800",
];

/** Names that every object has, and others that are easily taken for data. */
const NAMES = [
  "constructor",
  "__proto__",
  "toString",
  "valueOf",
  "hasOwnProperty",
  "length",
  "x",
  "",
  "a\nb",
  "\u202ename",
];

const TEXTS = [
  "constructor",
  "__proto__",
  "toString",
  "\u001b[2J\u001b[31m",
  "two\nlines",
  "\u202eevil",
  "\u009b31m",
  "x".repeat(3000),
  "<script>alert(1)</script>",
  "| a | b |",
  "# title",
  "\u0000",
  "\ufeff",
  "é\u0301",
  "`vmbind`",
];

interface Place {
  holder: Record<string, unknown> | unknown[];
  key: string | number;
}

/** All places of a value, at most some thousands. */
function placesOf(value: unknown): Place[] {
  const found: Place[] = [];
  const waiting: unknown[] = [value];
  while (waiting.length > 0 && found.length < 5000) {
    const holder = waiting.pop();
    if (typeof holder !== "object" || holder === null) continue;
    const keys = Array.isArray(holder) ? holder.keys() : Object.keys(holder);
    for (const key of keys) {
      const place = { holder, key } as Place;
      found.push(place);
      waiting.push(at(place));
    }
  }
  return found;
}

function at({ holder, key }: Place): unknown {
  return (holder as Record<string | number, unknown>)[key];
}

function put({ holder, key }: Place, value: unknown): void {
  Object.defineProperty(holder, key, { value, writable: true, enumerable: true, configurable: true });
}

/** Change one place of one line that is still JSON. */
function inJson(change: (places: Place[], draw: Draw) => void): Damage {
  return (lines, draw) => {
    const index = draw(3) === 0 ? 0 : draw(lines.length);
    try {
      const value: unknown = JSON.parse(lines[index] ?? "");
      const places = placesOf(value);
      if (places.length > 0) change(places, draw);
      return lines.with(index, JSON.stringify(value));
    } catch {
      // No JSON any more, or nested deeper than this program can write.
      return lines;
    }
  };
}

function put1(values: readonly unknown[], fits: (value: unknown) => boolean): Damage {
  return inJson((places, draw) => {
    const some = places.filter((place) => fits(at(place)));
    put(pick(some.length > 0 ? some : places, draw), pick(values, draw));
  });
}

const isNumeric = (value: unknown): boolean =>
  typeof value === "number" || (typeof value === "string" && value.startsWith("0x"));

/** Without white space: what is nested stands inside one line. */
function nested(draw: Draw): string {
  const depth = pick([60, 64, 65, 1000, 4000, 5000, 100_000], draw);
  return draw(2) === 0
    ? "[".repeat(depth) + "]".repeat(depth)
    : `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
}

function isBytes(value: unknown): boolean {
  return typeof value === "string" && value.length % 2 === 0 && /^[0-9a-f]{8,}$/.test(value);
}

/** Of ioctls' bytes: one digit, or a number at the edge in the place of eight bytes; the text stays of its format. */
const inBytes: Damage = inJson((places, draw) => {
  const hex = places.filter((place) => isBytes(at(place)));
  if (hex.length === 0) return;
  const place = pick(hex, draw);
  const digits = String(at(place));
  if (draw(2) === 0) {
    const from = draw(digits.length);
    put(place, digits.slice(0, from) + "0123456789abcdef"[draw(16)] + digits.slice(from + 1));
    return;
  }
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(pick(U64, draw));
  const from = 16 * draw(Math.ceil(digits.length / 16));
  const room = digits.length - from;
  put(place, digits.slice(0, from) + bytes.toString("hex").slice(0, room) + digits.slice(from + 16));
});

/** What 64 bits of an argument can be that asks for much, or for too much. */
const U64: readonly bigint[] = [
  0n,
  1n,
  0xfffn,
  0x1000n,
  0x10000n,
  2n ** 21n,
  2n ** 30n,
  2n ** 32n - 4096n,
  2n ** 32n,
  2n ** 39n,
  2n ** 44n,
  2n ** 47n - 4096n,
  2n ** 47n,
  2n ** 48n - 4096n,
  2n ** 48n,
  2n ** 53n,
  2n ** 57n - 4096n,
  2n ** 63n,
  2n ** 64n - 4096n,
  2n ** 64n - 1n,
];

const DAMAGES: Readonly<Record<string, Damage>> = {
  bytes: inBytes,
  "bytes again": inBytes,
  "more bytes": (lines, draw) =>
    Array.from({ length: 6 }).reduce<string[]>((some) => inBytes(some, draw), lines),
  number: put1(NUMBERS, isNumeric),
  "number again": put1(NUMBERS, isNumeric),
  type: put1(OF_OTHER_TYPES, () => true),
  text: put1(TEXTS, (value) => typeof value === "string"),
  drop: inJson((places, draw) => {
    const { holder, key } = pick(places, draw);
    if (Array.isArray(holder)) holder.splice(Number(key), 1);
    else delete holder[key];
  }),
  rename: inJson((places, draw) => {
    const place = pick(places, draw);
    if (Array.isArray(place.holder)) return;
    const value = at(place);
    delete place.holder[place.key];
    put({ holder: place.holder, key: pick(NAMES, draw) }, value);
  }),
  "add member": inJson((places, draw) => {
    const { holder } = pick(places, draw);
    put(
      { holder, key: Array.isArray(holder) ? holder.length : pick(NAMES, draw) },
      pick(OF_OTHER_TYPES, draw),
    );
  }),
  "swap members": inJson((places, draw) => {
    const [a, b] = [pick(places, draw), pick(places, draw)];
    const value = structuredClone(at(b));
    put(b, structuredClone(at(a)));
    put(a, value);
  }),
  "repeat elements": inJson((places, draw) => {
    const lists = places.map(at).filter(Array.isArray);
    if (lists.length === 0) return;
    const list = pick(lists, draw);
    const copies = pick([1, 8, 64], draw);
    for (let i = 0, n = list.length; i < copies * n && list.length < 5000; i++)
      list.push(structuredClone(list[i % n]));
  }),
  "open file": inJson((places, draw) => {
    put(
      { holder: (places[0] as Place).holder, key: "file" },
      pick([1, 100, 1023, 1024, 1e5, 1e6, 2 ** 53 - 1, -1], draw),
    );
  }),
  nest: (lines, draw) => {
    const index = draw(lines.length);
    const line = lines[index] ?? "";
    return lines.with(
      index,
      line.replace(/:("[^"]*"|-?\d+|true|false|null)/, () => `:${nested(draw)}`),
    );
  },
  "drop line": (lines, draw) => lines.toSpliced(draw(lines.length), 1 + draw(3)),
  "repeat line": (lines, draw) => {
    const index = draw(lines.length);
    return lines.toSpliced(index, 0, ...Array.from({ length: 1 + draw(40) }, () => lines[index] ?? ""));
  },
  "swap lines": (lines, draw) => {
    const [a, b] = [draw(lines.length), draw(lines.length)];
    return lines.with(a, lines[b] ?? "").with(b, lines[a] ?? "");
  },
  "header only": (lines, draw) => lines.slice(0, draw(2) + 1),
  "empty line": (lines, draw) => lines.toSpliced(draw(lines.length + 1), 0, ""),
  "cut line": (lines, draw) => {
    const index = draw(lines.length);
    const line = lines[index] ?? "";
    return lines.with(index, line.slice(0, draw(line.length + 1)));
  },
  "broken token": (lines, draw) => {
    const index = draw(lines.length);
    const line = lines[index] ?? "";
    const from = draw(line.length + 1);
    return lines.with(
      index,
      line.slice(0, from) +
        pick(['"', "{", "}", "[", "\\", ",", "1e999", "\n", "\u0007"], draw) +
        line.slice(from),
    );
  },
  marks: (lines, draw) => {
    const mark = JSON.stringify({
      mark: pick([...TEXTS, "file-close 0", "file-close 99999", "workload-end", "exec"], draw),
    });
    return lines.toSpliced(
      1 + draw(lines.length),
      0,
      ...Array.from({ length: pick([1, 3, 20_000], draw) }, () => mark),
    );
  },
};

/** What can be done to bytes, whatever they mean. */
const TO_BYTES: Readonly<Record<string, (bytes: Uint8Array, draw: Draw) => Uint8Array>> = {
  "flip bit": (bytes, draw) => {
    const copy = bytes.slice();
    for (let i = 1 + draw(3); i > 0 && copy.length > 0; i--) {
      const index = draw(copy.length);
      copy[index] = (copy[index] as number) ^ (1 << draw(8));
    }
    return copy;
  },
  truncate: (bytes, draw) => bytes.slice(0, draw(bytes.length + 1)),
  "cut out": (bytes, draw) => {
    const from = draw(bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + draw(200))]);
  },
  "random bytes": (bytes, draw) => {
    const from = draw(bytes.length + 1);
    const noise = Uint8Array.from({ length: 1 + draw(64) }, () => draw(256));
    return Buffer.concat([bytes.subarray(0, from), noise, bytes.subarray(from)]);
  },
  "more behind": (bytes, draw) =>
    Buffer.concat([bytes, Buffer.from(pick(["\n", "{}", "\0\0\0", "\n\n{}\n", "]"], draw))]),
};

/**
 * Damage a file.
 *
 * @param text - a valid one
 * @param seed - decides what is done
 */
export function damage(text: string, seed: number): Damaged {
  const draw = drawsOf(seed);
  const names: string[] = [];
  let lines = text.replace(/\n$/, "").split("\n");
  for (let i = 1 + draw(draw(3) === 0 ? 3 : 1); i > 0; i--) {
    const name = pick(Object.keys(DAMAGES), draw);
    names.push(name);
    lines = (DAMAGES[name] as Damage)(lines.length > 0 ? lines : [""], draw);
  }
  let bytes: Uint8Array = Buffer.from(`${lines.join("\n")}\n`);
  if (draw(6) === 0) bytes = harmed(bytes, names, draw);
  if (draw(4) === 0) {
    names.push("gzip");
    bytes = gzipSync(bytes);
    if (draw(2) === 0) bytes = harmed(bytes, names, draw);
  }
  return { names, bytes };
}

function harmed(bytes: Uint8Array, names: string[], draw: Draw): Uint8Array {
  const name = pick(Object.keys(TO_BYTES), draw);
  names.push(name);
  return (TO_BYTES[name] as (bytes: Uint8Array, draw: Draw) => Uint8Array)(bytes, draw);
}
