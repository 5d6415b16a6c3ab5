/** An operation in the words of the program that made it, with its values: rows of a table, also for what a loop made. */

import { hex, size } from "@vmbind/drm";
import type { OpAddress, Operation, OpMemory } from "@vmbind/lab";

/**
 * @param operation - an operation
 * @returns it as a call, `bind(buf + 0x200000, 64 KiB, a)`
 */
export function operationLabel(operation: Operation): string {
  switch (operation.op) {
    case "memory":
    case "sparse":
    case "range":
      return `${operation.name} = ${operation.op}(${size(operation.size)})`;
    case "bind":
    case "map": {
      const { op, at, size: bytes, memory } = operation;
      if (memory === null) return `un${op}(${addressText(at)}, ${size(bytes)})`;
      const repeats = op === "map" && operation.window !== undefined;
      const window = repeats ? `, ${size(operation.window ?? 0)}` : "";
      return `${repeats ? "repeat" : op}(${addressText(at)}, ${size(bytes)}, ${memoryText(memory)}${window})`;
    }
    case "destroy":
    case "free":
    case "evict":
      return `${operation.op}(${operation.name})`;
    case "submit":
      return "submit()";
    case "read":
      return `read(${addressText(operation.at)})`;
    case "write":
      return `write(${addressText(operation.at)}, ${hex(operation.value ?? 0)})`;
    case "vm-bind":
      return `vmBind(${operation.driver}, ${operation.ops.map(({ op }) => op).join(", ") || "nothing"})`;
  }
}

function addressText(at: OpAddress): string {
  if (typeof at === "number") return hex(at);
  if (at.offset === 0) return at.in;
  return at.offset < 0 ? `${at.in} - ${hex(-at.offset)}` : `${at.in} + ${hex(at.offset)}`;
}

function memoryText({ object, offset }: OpMemory): string {
  return offset === 0 ? object : `${object} + ${hex(offset)}`;
}
