/**
 * Ioctls as JSON lines.
 *
 * @module
 */

import { hex } from "@vmbind/drm";
import type { Teller, ToldCall, ToldOp } from "./explainer.ts";

/** Writes what is told as JSON, one object a line. Addresses are hex in strings, sizes and counts numbers. */
export class JsonTeller implements Teller {
  readonly #out: (text: string) => void;

  /** @param out - takes lines, each with its line end */
  constructor(out: (text: string) => void) {
    this.#out = out;
  }

  /** See {@link Teller.mark}. */
  mark({ mark }: { readonly mark: string }): void {
    this.#line({ mark });
  }

  /** See {@link Teller.call}. */
  call({ record, action, phase, ret, reason, ops, steps, leaves, cost }: ToldCall): void {
    const { seq, line, file, ioctl } = record;
    const counted = Object.fromEntries(Object.entries(cost).filter(([, value]) => value !== 0));
    this.#line({
      seq,
      line,
      file,
      ioctl,
      kind: action.kind,
      text: action.text,
      phase,
      ret,
      ...(reason !== null && { reason }),
      ...(action.kind === "bind" && { vm: action.vm, ops: ops.map(opOf) }),
      ...(steps !== null && { steps: steps.map(({ kind, op, text }) => ({ kind, op, text })), leaves }),
      cost: counted,
    });
  }

  #line(value: object): void {
    this.#out(`${JSON.stringify(value)}\n`);
  }
}

function opOf({ index, op, text, place, isRefused }: ToldOp): object {
  const { heading, effect, addr, range, handle, offset, flags } = op;
  return {
    op: index,
    kind: heading,
    effect,
    addr: hex(addr),
    range,
    ...(handle !== 0 && { bo: handle, offset: hex(offset) }),
    flags: hex(flags),
    ...(place !== null && { place }),
    text,
    ...(isRefused && { refused: true }),
  };
}
