/**
 * The address spaces of a trace, followed operation by operation: pieces of mappings with their origin, objects with their history,
 * sparse resources.
 *
 * It is told what each ioctl means and whether it succeeded, and knows neither driver nor page tables. What happens to a driver
 * through no ioctl (eviction, fences) moves no mapping, so it is not told of that.
 *
 * @module
 */

import type { Action, BindOp } from "../lens.ts";
import { type Hits, noHits } from "../model/intervals.ts";
import type { CallRef, OpRef, Piece, SpaceObject } from "./piece.ts";
import type { Resource } from "./resource.ts";
import { emptyVm, piecesOf, removeObject, type VmSpace } from "./vm-space.ts";

/** What one operation did. */
export interface OpChange {
  /** The operation. */
  readonly ref: OpRef;
  /** As it was sent. */
  readonly op: BindOp;
  /** The object that it names; null for none, and for one that is not known. */
  readonly object: SpaceObject | null;
  /** What was mapped in its range, uncut. */
  readonly before: readonly Piece[];
  /** The living resource in which its range begins, after it; for a second view that of the first. Null for none. */
  readonly resource: Resource | null;
  /** Whether that resource begins with it, or grows by it. */
  readonly makes: boolean;
  /** Living resources that its range touches without being one of those. */
  readonly meets: readonly Resource[];
  /** Resources that end with it. */
  readonly ends: readonly Resource[];
}

/** What of an object is mapped in a VM. */
export interface MappedPieces {
  /** The VM. */
  readonly vm: VmSpace;
  /** Ascending. */
  readonly pieces: readonly Piece[];
}

/** What one ioctl did. */
export interface SpaceChange {
  /** The VM of a VM_BIND; null for others. */
  readonly vm: VmSpace | null;
  /** Its operations, where it succeeded. */
  readonly changes: readonly OpChange[];
  /** The object that it made. */
  readonly made: SpaceObject | null;
  /** The object whose handle it closed. */
  readonly closed: SpaceObject | null;
  /** Where that object was still mapped. */
  readonly mapped: readonly MappedPieces[];
  /** The VM that it destroyed, with all that was in it. */
  readonly gone: VmSpace | null;
}

/** What a client's marks say of what it does now. */
export interface ClientHint {
  /** It makes a resource. */
  readonly creates: boolean;
  /** It binds in one, and calls it so: `buffer`, `image`; null for neither. */
  readonly binds: string | null;
}

/** Nothing is known. */
export const CLIENT_UNKNOWN: ClientHint = { creates: false, binds: null };

/** `bind-sparse call=3 buffer binds=41 unbinds=23` */
const BIND_MARK = /^bind-sparse call=\d+ (buffer|image)/;

/**
 * @param mark - text of a mark
 * @returns what it says of the binds that follow
 */
export function clientHint(mark: string): ClientHint {
  return { creates: false, binds: BIND_MARK.exec(mark)?.[1] ?? null };
}

/** What the world asks of a driver's lens. */
export interface SpaceRules {
  /** See `Lens.closeUnmaps`. */
  readonly closeUnmaps: boolean;
  /** See `Lens.fileVm`. */
  readonly fileVm?: number;
  /** See `Lens.mayWrite`. */
  mayWrite?(op: BindOp): boolean;
}

interface FileSpace {
  readonly vms: Map<number, VmSpace>;
  readonly objects: Map<number, SpaceObject>;
  /** The last object that had a handle, once it is closed. */
  readonly closed: Map<number, SpaceObject>;
}

/** A resource that may go on growing. */
interface Growing {
  readonly resource: Resource;
  readonly seq: number;
  readonly more: boolean;
}

const NOTHING: Omit<SpaceChange, "vm"> = { changes: [], made: null, closed: null, mapped: [], gone: null };

/** Follows a trace. */
export class World {
  readonly #rules: SpaceRules;
  readonly #files = new Map<number, FileSpace>();
  readonly #growing = new Map<VmSpace, Growing>();
  readonly #hits: Hits = noHits();
  #objects = 0;
  #resources = 0;

  /** @param rules - of the trace's driver */
  constructor(rules: SpaceRules) {
    this.#rules = rules;
  }

  /** Whether closing a handle takes the mappings of its object away. */
  get closeUnmaps(): boolean {
    return this.#rules.closeUnmaps;
  }

  /** All VMs that live. */
  get vms(): VmSpace[] {
    return [...this.#files.values()].flatMap(({ vms }) => [...vms.values()]);
  }

  /**
   * @param file - open file
   * @param handle - GEM handle
   * @returns the object that has the handle, or null
   */
  object(file: number, handle: number): SpaceObject | null {
    return this.#files.get(file)?.objects.get(handle) ?? null;
  }

  /**
   * @param file - open file
   * @param handle - GEM handle
   * @returns the object that had the handle last, if none has it now; null where none ever had
   */
  lastClosed(file: number, handle: number): SpaceObject | null {
    const space = this.#files.get(file);
    return space?.objects.has(handle) ? null : (space?.closed.get(handle) ?? null);
  }

  /**
   * @param file - open file
   * @returns all objects of it that are closed, and whose handle nobody has
   */
  closedObjects(file: number): SpaceObject[] {
    const space = this.#files.get(file);
    return [...(space?.closed.values() ?? [])].filter(({ handle }) => !space?.objects.has(handle));
  }

  /**
   * @param file - open file
   * @param id - VM id
   * @returns the VM, or null
   */
  vm(file: number, id: number): VmSpace | null {
    return this.#files.get(file)?.vms.get(id) ?? null;
  }

  /**
   * Follow an ioctl.
   *
   * @param ref - the ioctl
   * @param action - what it means
   * @param succeeded - whether the driver took it; nothing happens for one that was refused
   * @param client - what is known of the client's intention
   * @returns what it did
   */
  take(ref: CallRef, action: Action, succeeded: boolean, client: ClientHint = CLIENT_UNKNOWN): SpaceChange {
    const file = this.#file(ref.file);
    if (action.kind === "bind") {
      const vm = file.vms.get(action.vm) ?? null;
      if (!succeeded || vm === null) return { ...NOTHING, vm };
      const more = action.more === true;
      const changes = action.ops.map((op, i) => {
        const { addr, range } = op;
        const at: OpRef = { ...ref, op: i, ops: action.ops.length, addr, end: addr + range };
        return this.#apply(vm, file, op, at, more, client);
      });
      return { ...NOTHING, vm, changes };
    }
    const nothing = { ...NOTHING, vm: null };
    if (!succeeded) return nothing;
    switch (action.kind) {
      case "vm-create":
        file.vms.set(action.vm, emptyVm(action.vm, ref.file));
        return nothing;
      case "vm-destroy": {
        const gone = file.vms.get(action.vm) ?? null;
        file.vms.delete(action.vm);
        return { ...nothing, gone };
      }
      case "bo-create": {
        const { handle, size } = action;
        const made = { number: ++this.#objects, file: ref.file, handle, size, made: ref, closed: null };
        file.objects.set(handle, made);
        return { ...nothing, made };
      }
      case "bo-close":
        return this.#close(file, action.handle, ref);
      default:
        return nothing;
    }
  }

  /**
   * A file is closed, and its VMs go with it.
   *
   * @param index - open file
   * @returns the VMs that it still had
   */
  closeFile(index: number): VmSpace[] {
    const gone = [...(this.#files.get(index)?.vms.values() ?? [])];
    this.#files.delete(index);
    return gone;
  }

  #close(file: FileSpace, handle: number, ref: CallRef): SpaceChange {
    const object = file.objects.get(handle) ?? null;
    if (object === null) return { ...NOTHING, vm: null };
    object.closed = ref;
    file.objects.delete(handle);
    file.closed.set(handle, object);
    const mapped = [...file.vms.values()].map((vm) => ({ vm, pieces: piecesOf(vm, object) }));
    if (this.#rules.closeUnmaps) for (const { vm } of mapped) removeObject(vm, object);
    return { ...NOTHING, vm: null, closed: object, mapped: mapped.filter(({ pieces }) => pieces.length > 0) };
  }

  #apply(vm: VmSpace, file: FileSpace, op: BindOp, ref: OpRef, more: boolean, client: ClientHint): OpChange {
    const { addr, end } = ref;
    const object = file.objects.get(op.handle) ?? null;
    const view = op.sparse?.view ?? 0;
    const touched = this.#touched(vm, op, object);
    const meets = view === 0 ? vm.resources.in(addr, end) : [];
    const ends: Resource[] = [];
    let resource: Resource | null = vm.resources.at(addr - view);
    let makes = false;
    if (view !== 0) {
      if (resource !== null) resource.view = view;
    } else if (op.sparse?.says === "unbound") {
      const inside = meets.length === 1 && resource !== null && end <= resource.end;
      if (inside ? client.creates && !this.#grew(vm, resource, ref) : !sticksOut(meets, addr, end)) {
        for (const old of meets) this.#end(vm, old, ref, ends);
        resource = this.#begin(vm, op, ref, more);
        makes = true;
      }
    } else if (op.effect === "unmap" && op.sparse?.says === undefined) {
      for (const old of meets) if (addr <= old.addr && old.end <= end) this.#end(vm, old, ref, ends);
      if (resource !== null && ends.includes(resource)) resource = null;
    }
    if (op.effect === "map") this.#map(vm, op, ref, object, { view, inResource: resource !== null });
    else if (op.effect === "unmap") vm.pieces.unmap(addr, end, this.#hits);
    else if (op.effect === "unmap-at")
      for (const old of touched) vm.pieces.unmap(old.addr, old.end, this.#hits);
    else if (op.effect === "unmap-object" && object !== null) removeObject(vm, object);
    if (resource !== null && op.effect === "map" && !makes) {
      resource.changes++;
      if (client.binds !== null) resource.called = client.binds;
    }
    const strangers = meets.filter((other) => other !== resource && !ends.includes(other));
    return { ref, op, object, before: touched, resource, makes, meets: strangers, ends };
  }

  #touched(vm: VmSpace, op: BindOp, object: SpaceObject | null): Piece[] {
    if (op.effect === "unmap-object") return object === null ? [] : piecesOf(vm, object);
    if (op.effect === "unmap-at") {
      return vm.pieces.in(op.addr, op.addr + 1).filter((piece) => piece.addr === op.addr);
    }
    return op.effect === "none" ? [] : vm.pieces.in(op.addr, op.addr + op.range);
  }

  #map(
    vm: VmSpace,
    op: BindOp,
    by: OpRef,
    object: SpaceObject | null,
    where: { view: number; inResource: boolean },
  ): void {
    const says = op.sparse?.says;
    const is = says === "unbound" || says === "uncover" || op.handle === 0 ? "unbound" : "memory";
    if (is === "memory") vm.firstMemory ??= by;
    if (object !== null) {
      const places = vm.mappedAt.get(object.number);
      const place = { addr: by.addr, end: by.end };
      if (places === undefined) vm.mappedAt.set(object.number, [place]);
      else places.push(place);
    }
    if (!where.inResource && where.view === 0 && says !== "uncover") vm.laidOut++;
    vm.pieces.map(
      {
        addr: by.addr,
        end: by.end,
        kind: op.heading,
        object: object?.number ?? 0,
        offset: op.offset,
        is,
        view: where.view,
        aside: says === "aside",
        mayWrite: this.#rules.mayWrite?.(op) ?? true,
        flags: op.flags,
        by,
      },
      this.#hits,
    );
  }

  /** Whether a resource began with this call, or the one that this call goes on with. */
  #grew(vm: VmSpace, resource: Resource | null, { seq }: OpRef): boolean {
    const last = this.#growing.get(vm);
    return last !== undefined && last.resource === resource && (last.seq === seq || last.more);
  }

  #begin(vm: VmSpace, op: BindOp, by: OpRef, more: boolean): Resource {
    const last = this.#growing.get(vm);
    const goesOn =
      last !== undefined &&
      last.resource.gone === null &&
      last.resource.end === by.addr &&
      last.resource.heading === op.heading &&
      (last.seq === by.seq || last.more);
    if (goesOn) {
      last.resource.end = by.end;
      last.resource.makers++;
    }
    const resource: Resource = goesOn
      ? last.resource
      : {
          number: ++this.#resources,
          addr: by.addr,
          end: by.end,
          by,
          makers: 1,
          heading: op.heading,
          below: op.effect === "none",
          view: 0,
          changes: 0,
          called: "resource",
          gone: null,
        };
    if (!goesOn) {
      vm.laidOut++;
      vm.resources.add(resource);
    }
    this.#growing.set(vm, { resource, seq: by.seq, more });
    return resource;
  }

  #end(vm: VmSpace, resource: Resource, by: OpRef, ends: Resource[]): void {
    resource.gone = by;
    vm.resources.delete(resource);
    ends.push(resource);
  }

  #file(index: number): FileSpace {
    const known = this.#files.get(index);
    if (known !== undefined) return known;
    const file: FileSpace = { vms: new Map(), objects: new Map(), closed: new Map() };
    const { fileVm } = this.#rules;
    if (fileVm !== undefined) file.vms.set(fileVm, emptyVm(fileVm, index));
    this.#files.set(index, file);
    return file;
  }
}

/** A range that reaches a little beyond a resource in use was meant for it, and does not begin another. */
function sticksOut(meets: readonly Resource[], addr: number, end: number): boolean {
  return meets.some((old) => {
    const common = Math.min(end, old.end) - Math.max(addr, old.addr);
    return old.changes > 0 && common * 2 > end - addr && common < old.end - old.addr;
  });
}
