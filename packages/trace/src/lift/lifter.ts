/**
 * Lifts a trace: from what each operation means to a driver, back to what an application asked for.
 *
 * | the trace has | it is lifted to |
 * |---|---|
 * | an unbound range where no resource is | create; pieces that go on, within a call and over calls that go on, are one range |
 * | memory or an unbound range inside a resource | an element of a bind |
 * | an unmap of a whole resource | destroy |
 * | an unmap of a part of one | a hole: no application can ask for it |
 * | an object mapped whole outside of resources, for the first time | allocate |
 * | a closed handle | free |
 * | any other map or unmap outside of resources | a plain bind, a plain unbind |
 *
 * Which operations say "unbound", and what is said twice because a driver keeps a second view, only its lens knows. A queue bind
 * is what one ioctl says; several belong together where the lens sees that the user-mode driver's list goes on, or where the client
 * set a mark `bind-sparse` before them. A refused ioctl has no step.
 *
 * @module
 */

import { eventOf } from "../event.ts";
import type { Action, BindAction, BindOp, Lens } from "../lens.ts";
import { type Interval, noHits } from "../model/intervals.ts";
import type { TraceRecord } from "../record.ts";
import { AddressBook, type Growing, type LivingResource, pierce, type RangePart } from "./address-book.ts";
import type {
  LiftedElement,
  LiftedFrom,
  LiftedMemory,
  LiftedPlace,
  LiftedResource,
  LiftedStep,
  Seams,
} from "./lifted.ts";
import { type LivingMemory, ObjectBook } from "./object-book.ts";
import { OpenCall } from "./open-call.ts";

/** Lifts one trace, record by record. */
export class Lifter {
  /** Ioctls that were refused, by their `seq`. */
  readonly refused: number[] = [];
  /** Seams that showed too late: an unmap took a part of a resource that ends at one. Lift again with them. */
  readonly seamsFound: Map<number, number> = new Map();
  readonly #closeUnmaps: boolean;
  readonly #sink: (step: LiftedStep) => void;
  readonly #knownSeams: Seams;
  readonly #books = new Map<number, Map<number, AddressBook>>();
  readonly #objects = new ObjectBook();
  /** Of living resources, where an ioctl began that went on making them: by address, with its `seq`. */
  readonly #seams = new Map<LivingResource, ReadonlyMap<number, number>>();
  #resources = 0;
  #seq = 0;
  #file = 0;
  #vm = 0;
  #growing: Growing | null = null;
  #call: OpenCall | null = null;
  /** The last bind said that its list goes on. */
  #more = false;
  /** The client has said that what follows is one queue bind. */
  #isMarked = false;

  /**
   * @param lens - of the trace's driver
   * @param sink - takes each step as soon as it is whole
   * @param seams - what an earlier try has found
   */
  constructor(lens: Pick<Lens, "closeUnmaps">, sink: (step: LiftedStep) => void, seams: Seams = new Map()) {
    this.#closeUnmaps = lens.closeUnmaps;
    this.#sink = sink;
    this.#knownSeams = seams;
  }

  /**
   * Lift one more record.
   *
   * @param record - the next one
   * @param action - what its ioctl means, null for a mark
   */
  take(record: TraceRecord, action: Action | null): void {
    if (record.kind === "mark") {
      this.#mark(record.mark);
      return;
    }
    if (action === null) return;
    this.#seq = record.seq;
    this.#file = record.file;
    if (record.ret !== 0) {
      this.refused.push(record.seq);
      return;
    }
    if (action.kind === "bind") this.#bind(action);
    else if (action.kind !== "other") {
      this.#settle();
      if (action.kind === "bo-create") this.#objects.make(this.#file, action.handle, action.size, this.#seq);
      if (action.kind === "bo-close") this.#close(action.handle);
      if (action.kind === "vm-destroy") this.#books.get(record.file)?.delete(action.vm);
    }
  }

  /** The trace is at its end: tell what is still open. */
  end(): void {
    this.#settle();
  }

  /** Resources that are alive. */
  *living(): Generator<LiftedResource> {
    for (const vms of this.#books.values()) for (const book of vms.values()) yield* book.resources;
  }

  /**
   * @param file - number of an open file
   * @param vm - VM id in it
   * @param va - an address, without the distance to a second view
   * @returns the living resource that it is in; null for none
   */
  placeOf(file: number, vm: number, va: number): LiftedPlace | null {
    const resource = this.#books.get(file)?.get(vm)?.resourceAt(va) ?? null;
    return resource && { resource, offset: va - resource.va };
  }

  /**
   * @param file - number of an open file
   * @param handle - GEM handle in it
   * @returns the object, undefined for a handle that is not open
   */
  memoryOf(file: number, handle: number): LiftedMemory | undefined {
    return this.#objects.get(file, handle);
  }

  #mark(text: string): void {
    // A submission is no word of the client's about its binds.
    if (text === "exec") return;
    this.#settle();
    this.#isMarked = text.startsWith("bind-sparse");
    const event = eventOf(text);
    if (event?.kind !== "close") return;
    this.#books.delete(event.file);
    this.#objects.closeFile(event.file);
  }

  /** Tell what is complete, now that something else comes. */
  #settle(): void {
    this.#endGrowing();
    this.#endCall();
    this.#more = false;
  }

  #endGrowing(): void {
    const growing = this.#growing;
    if (growing === null) return;
    this.#growing = null;
    const { resource, file, vm, first, last, seams } = growing;
    if (seams.size > 0) this.#seams.set(resource, seams);
    this.#sink({ step: "create", resource, from: { file, vm, first, last } });
  }

  #endCall(): void {
    const call = this.#call;
    if (call === null) return;
    this.#call = null;
    for (const step of call.steps()) this.#sink(step);
  }

  /** What is told of the ioctl that is being lifted. */
  #from(): LiftedFrom {
    return { file: this.#file, vm: this.#vm, first: this.#seq, last: this.#seq };
  }

  #book(): AddressBook {
    const vms = this.#books.get(this.#file) ?? new Map<number, AddressBook>();
    this.#books.set(this.#file, vms);
    const book = vms.get(this.#vm) ?? new AddressBook();
    vms.set(this.#vm, book);
    return book;
  }

  #bind({ vm, ops, more = false }: BindAction): void {
    const { file } = this.#call ?? this.#growing ?? { file: -1 };
    const goesOn = file === this.#file && this.#vm === vm;
    if (!(goesOn && (this.#more || this.#isMarked))) this.#endCall();
    if (!(goesOn && this.#more)) this.#endGrowing();
    this.#vm = vm;
    const book = this.#book();
    for (const [i, op] of ops.entries()) {
      const { says, view = 0 } = op.sparse ?? {};
      if (says === "aside" || view !== 0) continue;
      if (says === "unbound") this.#unbound(book, op, i);
      else if (says === "uncover") this.#unmapRange(book, op, i, true);
      else if (op.effect === "map") this.#map(book, op, i);
      else if (op.effect === "unmap") this.#unmapRange(book, op, i, false);
      else if (op.effect === "unmap-at") this.#unmapAt(book, op);
      else if (op.effect === "unmap-object") this.#unmapObject(book, this.#object(op.handle));
    }
    this.#more = more;
  }

  #unbound(book: AddressBook, op: BindOp, index: number): void {
    for (const part of book.parts(op.addr, op.range)) {
      if (part.resource !== null) {
        if (op.effect === "map") this.#clear(book, part);
        this.#element(part, null, part.resource, index);
        continue;
      }
      if (op.effect === "map") this.#unmapPlain(book, part);
      if (this.#extend(part)) continue;
      this.#settleFor("other");
      const resource: LivingResource = {
        name: `resource#${++this.#resources}`,
        file: this.#file,
        vm: this.#vm,
        va: part.addr,
        bytes: part.size,
        holes: null,
      };
      book.add(resource);
      this.#growing = {
        resource,
        file: this.#file,
        vm: this.#vm,
        first: this.#seq,
        last: this.#seq,
        seams: new Map(),
      };
    }
  }

  /** Whether a range goes on where the resource that is being made ends. */
  #extend({ addr, size }: RangePart): boolean {
    const growing = this.#growing;
    if (growing === null || growing.resource.va + growing.resource.bytes !== addr) return false;
    if (this.#knownSeams.get(this.#seq) === addr) return false;
    if (growing.last !== this.#seq) growing.seams.set(addr, this.#seq);
    growing.resource.bytes += size;
    growing.last = this.#seq;
    return true;
  }

  /** Before something else is told: an open call, and a resource that is being made unless it is that which goes on. */
  #settleFor(next: "element" | "other"): void {
    this.#endGrowing();
    if (next !== "element") this.#endCall();
  }

  #element(
    { addr, size }: RangePart,
    memory: LiftedElement["memory"],
    resource: LivingResource,
    op: number,
  ): void {
    this.#settleFor("element");
    pierce(resource, addr, size, false);
    const element = { offset: addr - resource.va, size, memory, seq: this.#seq, op };
    this.#call ??= new OpenCall(this.#file, this.#vm);
    if (this.#call.add(resource, element)) return;
    // One call's elements have no order: what is said twice is said by two.
    this.#endCall();
    this.#call = new OpenCall(this.#file, this.#vm);
    this.#call.add(resource, element);
  }

  #map(book: AddressBook, op: BindOp, index: number): void {
    const object = op.handle === 0 ? null : this.#object(op.handle);
    for (const part of book.parts(op.addr, op.range)) {
      const { addr, size, resource } = part;
      const offset = op.offset + (addr - op.addr);
      if (object !== null)
        object.bytes = object.isKnown ? object.bytes : Math.max(object.bytes, offset + size);
      const memory = object && { object, offset };
      if (resource !== null) {
        if (object !== null) this.#tell(object);
        this.#element(part, memory, resource, index);
        this.#put(book, part, "bound", object, offset);
        continue;
      }
      this.#settleFor("other");
      const isHome =
        object?.isKnown && !object.isTold && offset === 0 && size === op.range && size >= object.bytes;
      if (object !== null && isHome) {
        this.#tell(object, addr);
        this.#put(book, part, "home", object, offset);
        continue;
      }
      if (object !== null) this.#tell(object);
      this.#sink({ step: "map", va: addr, size, memory, from: this.#from() });
      this.#put(book, part, "plain", object, offset);
    }
  }

  #put(
    book: AddressBook,
    { addr, size }: RangePart,
    kind: string,
    object: LivingMemory | null,
    offset: number,
  ): void {
    book.mapped.map({ addr, end: addr + size, kind, object: object?.number ?? 0, offset }, noHits());
  }

  /** What is mapped in a range goes, without a word: something else will be there, or nothing, as the caller tells. */
  #clear(book: AddressBook, { addr, size }: RangePart): void {
    book.mapped.unmap(addr, addr + size, noHits());
  }

  #unmapRange(book: AddressBook, op: BindOp, index: number, uncovers: boolean): void {
    for (const part of book.parts(op.addr, op.range)) {
      const { addr, size, resource } = part;
      if (resource === null) this.#unmapPlain(book, part);
      else if (uncovers) {
        this.#clear(book, part);
        this.#element(part, null, resource, index);
      } else {
        this.#clear(book, part);
        this.#settleFor("other");
        if (size === resource.bytes) this.#destroy(book, resource);
        else this.#pierce(book, resource, addr, size, "range");
      }
    }
  }

  #destroy(book: AddressBook, resource: LivingResource): void {
    book.remove(resource);
    this.#seams.delete(resource);
    this.#sink({ step: "destroy", resource, from: this.#from() });
  }

  #pierce(
    book: AddressBook,
    resource: LivingResource,
    addr: number,
    size: number,
    because: "range" | "object",
  ): void {
    for (const edge of [addr, addr + size]) {
      const seq = because === "range" ? this.#seams.get(resource)?.get(edge) : undefined;
      if (seq !== undefined) this.seamsFound.set(seq, edge);
    }
    const isAll = pierce(resource, addr, size, true) && because === "range";
    this.#sink({ step: "hole", resource, offset: addr - resource.va, size, because, from: this.#from() });
    if (isAll) this.#destroy(book, resource);
  }

  #unmapPlain(book: AddressBook, { addr, size }: RangePart): void {
    const found = book.mappedIn(addr, addr + size).map((interval) => ({ ...interval }));
    if (found.length > 0) this.#settleFor("other");
    for (const interval of found) this.#gone(interval, addr, addr + size);
    book.mapped.unmap(addr, addr + size, noHits());
  }

  /** Tell that a mapping outside of resources has gone, as far as it lies in a range. */
  #gone({ kind, addr, end }: Interval, from: number, to: number): void {
    if (kind === "home" && from <= addr && end <= to) return;
    const va = Math.max(addr, from);
    this.#sink({ step: "unmap", va, size: Math.min(end, to) - va, from: this.#from() });
  }

  #unmapAt(book: AddressBook, op: BindOp): void {
    const found = book.mappedIn(op.addr, op.addr + 1)[0];
    if (found?.addr !== op.addr || found.object !== this.#object(op.handle).number) return;
    this.#settleFor("other");
    this.#gone({ ...found }, found.addr, found.end);
    book.mapped.unmap(found.addr, found.end, noHits());
  }

  #unmapObject(book: AddressBook, { number }: LivingMemory): void {
    const found = book.mapped.intervals.filter(({ object }) => object === number).map((old) => ({ ...old }));
    if (found.length === 0) return;
    this.#settleFor("other");
    book.mapped.removeObject(number);
    for (const interval of found) {
      const { addr, end, kind } = interval;
      const resource = kind === "bound" ? book.resourceAt(addr) : null;
      if (resource === null) this.#gone(interval, addr, end);
      else this.#pierce(book, resource, addr, end - addr, "object");
    }
  }

  #object(handle: number): LivingMemory {
    return this.#objects.get(this.#file, handle) ?? this.#objects.make(this.#file, handle, null, this.#seq);
  }

  /** An object is used: tell that it began, if nobody did. */
  #tell(memory: LivingMemory, va: number | null = null): void {
    if (memory.isTold) return;
    memory.isTold = true;
    this.#sink({ step: "allocate", memory, va, from: { ...this.#from(), first: memory.made } });
  }

  #close(handle: number): void {
    const memory = this.#objects.close(this.#file, handle);
    if (memory === undefined) return;
    if (this.#closeUnmaps) {
      for (const [vm, book] of this.#books.get(this.#file) ?? []) {
        this.#vm = vm;
        this.#unmapObject(book, memory);
      }
    }
    if (memory.isTold) this.#sink({ step: "free", memory, from: this.#from() });
  }
}
