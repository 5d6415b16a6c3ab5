/**
 * A list in the order of joining (`struct list_head`), as the kernel keeps a VM's external objects and the evicted ones: who joins and who
 * leaves is linked, and not hashed.
 *
 * @module
 */

/** A place in a list, for one that may be on it. */
export class ListEntry<T> {
  /** Whose place it is. */
  readonly owner: T;
  /** The one before, null for the first and off the list. */
  prev: ListEntry<T> | null = null;
  /** The one behind, null for the last and off the list. */
  next: ListEntry<T> | null = null;
  /** Whether it is on the list. */
  listed = false;

  /** @param owner - whose place it is */
  constructor(owner: T) {
    this.owner = owner;
  }
}

/** The list. */
export class ListHead<T> {
  #first: ListEntry<T> | null = null;
  #last: ListEntry<T> | null = null;

  /** Nobody is on it. */
  get isEmpty(): boolean {
    return this.#first === null;
  }

  /** Join at the end; nothing happens for one that is on it. */
  add(entry: ListEntry<T>): void {
    if (entry.listed) return;
    const last = this.#last;
    entry.prev = last;
    if (last === null) this.#first = entry;
    else last.next = entry;
    this.#last = entry;
    entry.listed = true;
  }

  /** Leave; nothing happens for one that is not on it. */
  delete(entry: ListEntry<T> | null): void {
    if (entry === null || !entry.listed) return;
    const { prev, next } = entry;
    if (prev === null) this.#first = next;
    else prev.next = next;
    if (next === null) this.#last = prev;
    else next.prev = prev;
    entry.prev = null;
    entry.next = null;
    entry.listed = false;
  }

  /** Those on it now, in the order of joining. */
  toArray(): T[] {
    const all: T[] = [];
    for (let entry = this.#first; entry !== null; entry = entry.next) all.push(entry.owner);
    return all;
  }
}
