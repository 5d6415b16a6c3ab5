/**
 * What the addresses of a trace belong to: `buffer#1 + 0x20000`.
 *
 * @module
 */

import {
  type Action,
  type BindOp,
  CLIENT_UNKNOWN,
  clientHint,
  type Lens,
  type Phase,
  placeIn,
  type TraceIoctl,
  type VmSpace,
  World,
} from "@vmbind/trace";

/** Follows a trace, and names places in it. */
export class Places {
  readonly #world: World;
  #hint = CLIENT_UNKNOWN;
  #vm: VmSpace | null = null;
  #before: readonly (string | null)[] = [];

  /** @param lens - of the trace's driver */
  constructor(lens: Pick<Lens, "closeUnmaps" | "fileVm">) {
    this.#world = new World(lens);
  }

  /**
   * @param text - a mark
   */
  mark(text: string): void {
    this.#hint = clientHint(text);
  }

  /**
   * @param record - an ioctl that has run
   * @param action - what it means
   * @param ret - what the model returned
   * @param phase - what the client is doing
   */
  take({ seq, line, file, ioctl }: TraceIoctl, action: Action, ret: number, phase: Phase): void {
    const hint = { ...this.#hint, creates: phase === "create" };
    const { vm } = this.#world.take({ seq, line, file, ioctl }, action, ret === 0, hint);
    this.#vm = vm;
  }

  /**
   * Look at an ioctl before it runs: what it ends has no name any more afterwards.
   *
   * @param record - the ioctl
   * @param action - what it means
   */
  before({ file }: TraceIoctl, action: Action): void {
    const vm = action.kind === "bind" ? this.#world.vm(file, action.vm) : null;
    this.#before = action.kind === "bind" ? action.ops.map((op) => nameIn(vm, op)) : [];
  }

  /**
   * @param op - an operation of the ioctl that has just run
   * @param index - its index
   * @returns where it is, in words; null where no resource is
   */
  of(op: BindOp, index: number): string | null {
    return nameIn(this.#vm, op) ?? this.#before[index] ?? null;
  }
}

function nameIn(vm: VmSpace | null, op: BindOp): string | null {
  const first = op.addr - (op.sparse?.view ?? 0);
  if (vm === null || vm.resources.at(first) === null) return null;
  return placeIn(vm, first) + (op.sparse?.view === undefined ? "" : ", second view");
}
