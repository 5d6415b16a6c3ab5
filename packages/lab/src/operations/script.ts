/**
 * The functions that a program writes its operations with. A call does nothing but add an operation to a list, so that a program runs
 * once, whatever the number of drivers that answer; what it gets wrong is told in the call, with function, argument and rule.
 *
 * ```typescript
 * const buf = sparse(6 * MiB);
 * const a = memory(2 * MiB);
 * bind(buf.at(2 * MiB), 64 * KiB, a);
 * read(buf.at(0));
 * ```
 *
 * @module
 */

import type { NamedBindOp } from "@vmbind/drm";
import { DRIVERS } from "../drivers.ts";
import { type OpAddress, type Operation, OperationError, type OpPlace } from "./operation.ts";

/** Most operations of a program, those inside of `vmBind` counted one by one. */
const OPERATIONS_MAX = 4096;
/** Most bytes of memory that a program allocates. */
const MEMORY_MAX: number = 2 ** 30;
/** The largest number below 2^64: members of 64 bits take no more. */
const NUMBER_MAX: number = 2 ** 64 - 2 ** 11;

/** Memory as a program has it. */
export class ScriptMemory {
  /** Its name. */
  readonly name: string;

  /** @param name - what answers call it */
  constructor(name: string) {
    this.name = name;
  }

  /** @throws {@link OperationError} always: handles differ from driver to driver */
  [Symbol.toPrimitive](): never {
    throw new OperationError(`${this.name}: memory is no number; pass it as it is`);
  }
}

/** A range of addresses as a program has it. */
export class ScriptRange {
  /** Its name. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;

  /**
   * @param name - what answers call it
   * @param size - bytes
   */
  constructor(name: string, size: number) {
    this.name = name;
    this.size = size;
  }

  /**
   * @param offset - bytes from its start; outside of it is allowed
   * @returns an address in it
   */
  at(offset: unknown): OpPlace {
    return { in: this.name, offset: whole(`${this.name}.at`, "offset", offset, -NUMBER_MAX) };
  }

  /** @throws {@link OperationError} always: addresses differ from driver to driver */
  [Symbol.toPrimitive](): never {
    throw new OperationError(`${this.name}: where it lies is for each driver; write ${this.name}.at(offset)`);
  }
}

/** What a program may say of a new range. */
const RANGE_OPTIONS: readonly string[] = ["va"];

/** What a place in a text is to who runs it. */
export interface ScriptHost {
  /** Called for each operation, while the call that adds it is on the stack. */
  added(): void;
  /**
   * @param call - the function that makes something
   * @returns what the program calls it, as far as that can be told
   */
  nameFor(call: string): string | undefined;
}

/** A list of operations in the making. */
export class OperationScript {
  /** What was added so far. */
  readonly operations: Operation[] = [];
  /** The functions and numbers that a program sees, by name. */
  readonly scope: Readonly<Record<string, unknown>>;
  readonly #host: ScriptHost;
  readonly #names = new Set<string>();
  #count = 0;
  #memoryBytes = 0;

  /** @param host - is told of each operation */
  constructor(host: ScriptHost) {
    this.#host = host;
    this.scope = {
      KiB: 2 ** 10,
      MiB: 2 ** 20,
      GiB: 2 ** 30,
      memory: (size: unknown) => this.#memory(size),
      sparse: (size: unknown, options?: unknown) => this.#range("sparse", size, options),
      range: (size: unknown, options?: unknown) => this.#range("range", size, options),
      bind: (at: unknown, size: unknown, memory: unknown, offset?: unknown) =>
        this.#map("bind", at, size, memory, offset),
      unbind: (at: unknown, size: unknown) => this.#unmap("bind", at, size),
      map: (at: unknown, size: unknown, memory: unknown, offset?: unknown) =>
        this.#map("map", at, size, memory, offset),
      unmap: (at: unknown, size: unknown) => this.#unmap("map", at, size),
      repeat: (at: unknown, size: unknown, memory: unknown, window: unknown, offset?: unknown) =>
        this.#repeat(at, size, memory, window, offset),
      destroy: (range: unknown) => this.#add({ op: "destroy", name: rangeOf("destroy", range).name }),
      free: (memory: unknown) => this.#add({ op: "free", name: memoryOf("free", memory).name }),
      evict: (memory: unknown) => this.#add({ op: "evict", name: memoryOf("evict", memory).name }),
      submit: () => this.#add({ op: "submit" }),
      read: (at: unknown) => this.#add({ op: "read", at: addressOf("read", at) }),
      write: (at: unknown, value: unknown) =>
        this.#add({
          op: "write",
          at: addressOf("write", at),
          value: whole("write", "value", value, 0, 2 ** 32 - 1),
        }),
      vmBind: (driver: unknown, ops: unknown) => this.#vmBind(driver, ops),
    };
  }

  #memory(size: unknown): ScriptMemory {
    const bytes = whole("memory", "size", size, 1, MEMORY_MAX);
    this.#memoryBytes += bytes;
    if (this.#memoryBytes > MEMORY_MAX) {
      throw new OperationError(`memory: more than ${MEMORY_MAX} bytes in all`);
    }
    const name = this.#newName("memory");
    this.#add({ op: "memory", name, size: bytes });
    return new ScriptMemory(name);
  }

  #range(op: "sparse" | "range", size: unknown, options: unknown = {}): ScriptRange {
    const bytes = whole(op, "size", size, 1);
    if (typeof options !== "object" || options === null) {
      throw new OperationError(`${op}: options: expected an object as { va: 0x1000 }, got ${words(options)}`);
    }
    const given = new Map<string, unknown>(Object.entries(options));
    for (const option of given.keys()) {
      if (!RANGE_OPTIONS.includes(option)) {
        throw new OperationError(`${op}: options.${option}: there is no such option, only va`);
      }
    }
    const va = given.get("va");
    const where = va === undefined ? {} : { va: whole(op, "options.va", va, 0) };
    const name = this.#newName(op);
    this.#add({ op, name, size: bytes, ...where });
    return new ScriptRange(name, bytes);
  }

  #map(op: "bind" | "map", at: unknown, size: unknown, memory: unknown, offset: unknown = 0): void {
    this.#add({
      op,
      at: addressOf(op, at),
      size: whole(op, "size", size, 0),
      memory: { object: memoryOf(op, memory).name, offset: whole(op, "offset", offset, 0) },
    });
  }

  #repeat(at: unknown, size: unknown, memory: unknown, window: unknown, offset: unknown = 0): void {
    this.#add({
      op: "map",
      at: addressOf("repeat", at),
      size: whole("repeat", "size", size, 0),
      memory: { object: memoryOf("repeat", memory).name, offset: whole("repeat", "offset", offset, 0) },
      window: whole("repeat", "window", window, 1),
    });
  }

  #unmap(op: "bind" | "map", at: unknown, size: unknown): void {
    const name = `un${op}`;
    this.#add({ op, at: addressOf(name, at), size: whole(name, "size", size, 0), memory: null });
  }

  #vmBind(driver: unknown, ops: unknown): void {
    if (typeof driver !== "string" || !DRIVERS.has(driver)) {
      const known = [...DRIVERS.keys()].join(", ");
      throw new OperationError(`vmBind: driver: expected one of ${known}, got ${words(driver)}`);
    }
    if (!Array.isArray(ops)) {
      throw new OperationError(`vmBind: ops: expected a list of operations, got ${words(ops)}`);
    }
    this.#count += ops.length;
    this.#add({ op: "vm-bind", driver, ops: ops.map((op: unknown, i) => plainOp(op, `ops[${i}]`)) });
  }

  #newName(call: string): string {
    const wanted = this.#host.nameFor(call) ?? call;
    let name = wanted;
    for (let i = 2; this.#names.has(name); i++) name = `${wanted}${i}`;
    this.#names.add(name);
    return name;
  }

  #add(operation: Operation): void {
    if (++this.#count > OPERATIONS_MAX) {
      throw new OperationError(`more than ${OPERATIONS_MAX} operations`);
    }
    this.operations.push(operation);
    this.#host.added();
  }
}

/** An operation of a driver without what only this thread understands: memory and addresses are said by name. */
function plainOp(op: unknown, place: string): NamedBindOp {
  if (typeof op !== "object" || op === null || Array.isArray(op)) {
    throw new OperationError(`vmBind: ${place}: expected an object, got ${words(op)}`);
  }
  const members = new Map<string, unknown>();
  for (const [member, value] of Object.entries(op)) {
    if (value instanceof ScriptMemory) members.set(member, { object: value.name });
    else if (value instanceof ScriptRange) members.set(member, { in: value.name, offset: 0 });
    else if (typeof value === "function" || typeof value === "symbol") {
      throw new OperationError(`vmBind: ${place}.${member}: expected data, got ${words(value)}`);
    } else members.set(member, value);
  }
  const name = members.get("op");
  if (typeof name !== "string") {
    throw new OperationError(`vmBind: ${place}.op: expected the name of an operation, got ${words(name)}`);
  }
  return { ...Object.fromEntries(members), op: name };
}

function addressOf(call: string, value: unknown): OpAddress {
  if (value instanceof ScriptRange) return { in: value.name, offset: 0 };
  if (typeof value === "object" && value !== null && "in" in value && "offset" in value) {
    const { in: range, offset } = value;
    if (typeof range === "string" && typeof offset === "number") return { in: range, offset };
  }
  if (typeof value === "number") return whole(call, "at", value, 0);
  throw new OperationError(
    `${call}: at: expected an address, as buf.at(offset) or a number, got ${words(value)}`,
  );
}

function memoryOf(call: string, value: unknown): ScriptMemory {
  if (value instanceof ScriptMemory) return value;
  throw new OperationError(`${call}: memory: expected what memory() returned, got ${words(value)}`);
}

function rangeOf(call: string, value: unknown): ScriptRange {
  if (value instanceof ScriptRange) return value;
  throw new OperationError(`${call}: range: expected what sparse() or range() returned, got ${words(value)}`);
}

function whole(call: string, name: string, value: unknown, least: number, most: number = NUMBER_MAX): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
  const end = most === NUMBER_MAX ? "2^64 - 1" : String(most);
  const rule = least < 0 ? "a whole number" : `a whole number from ${least} to ${end}`;
  throw new OperationError(`${call}: ${name}: expected ${rule}, got ${words(value)}`);
}

function words(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof ScriptMemory) return `memory ${value.name}`;
  if (value instanceof ScriptRange) return `range ${value.name}`;
  return Array.isArray(value) ? "a list" : value === null ? "null" : `a value of type ${typeof value}`;
}
