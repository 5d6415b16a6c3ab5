/**
 * What two sequences do not have in common: the shortest list of items that go and come (Myers, "An O(ND) difference algorithm and its
 * variations", 1986).
 *
 * Traces that are compared are mostly alike. Where they are not, the shortest list would take quadratic time and say nothing; then items
 * are compared regardless of order.
 *
 * @module
 */

/** Items that go and come before order is given up. */
const EDITS_MAX = 1000;

/** Which items are in one sequence only, by their index; ascending. */
export interface Edits {
  /** In the first one only. */
  readonly gone: readonly number[];
  /** In the second one only. */
  readonly come: readonly number[];
}

/**
 * @param a - keys of the first sequence
 * @param b - keys of the second
 * @returns what has to go and come to make one of the other
 */
export function editsOf(a: readonly string[], b: readonly string[]): Edits {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let endA = a.length;
  let endB = b.length;
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) {
    endA--;
    endB--;
  }
  const middleA = a.slice(start, endA);
  const middleB = b.slice(start, endB);
  const { gone, come } = shortest(middleA, middleB) ?? unordered(middleA, middleB);
  return { gone: gone.map((i) => i + start), come: come.map((i) => i + start) };
}

/** For each number of edits the furthest place on each diagonal; then back along the way. */
function shortest(a: readonly string[], b: readonly string[]): Edits | null {
  const most = Math.min(a.length + b.length, EDITS_MAX);
  const offset = most + 1;
  const furthest = new Int32Array(2 * most + 3);
  const history: Int32Array[] = [];
  for (let edits = 0; edits <= most; edits++) {
    history.push(furthest.slice(offset - edits - 1, offset + edits + 2));
    for (let k = -edits; k <= edits; k += 2) {
      const down =
        k === -edits || (k !== edits && at(furthest, offset + k - 1) < at(furthest, offset + k + 1));
      let x = down ? at(furthest, offset + k + 1) : at(furthest, offset + k - 1) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      furthest[offset + k] = x;
      if (x >= a.length && x - k >= b.length) return wayBack(a.length, b.length, history);
    }
  }
  return null;
}

function wayBack(lengthA: number, lengthB: number, history: readonly Int32Array[]): Edits {
  const gone: number[] = [];
  const come: number[] = [];
  let x = lengthA;
  let y = lengthB;
  for (let edits = history.length - 1; edits > 0; edits--) {
    const furthest = history[edits] as Int32Array;
    const center = edits + 1;
    const k = x - y;
    const down = k === -edits || (k !== edits && at(furthest, center + k - 1) < at(furthest, center + k + 1));
    const before = down ? k + 1 : k - 1;
    x = at(furthest, center + before);
    y = x - before;
    if (down) come.unshift(y);
    else gone.unshift(x);
  }
  return { gone, come };
}

function at(values: Int32Array, i: number): number {
  return values[i] as number;
}

/** Where an item stands in a list, and how many of these places have found their like. */
interface Places {
  readonly at: number[];
  taken: number;
}

function unordered(a: readonly string[], b: readonly string[]): Edits {
  const places = new Map<string, Places>();
  for (const [i, key] of b.entries()) {
    const known = places.get(key);
    if (known === undefined) places.set(key, { at: [i], taken: 0 });
    else known.at.push(i);
  }
  const gone: number[] = [];
  for (const [i, key] of a.entries()) {
    const known = places.get(key);
    if (known === undefined || known.taken === known.at.length) gone.push(i);
    else known.taken++;
  }
  const left = [...places.values()].flatMap((known) => known.at.slice(known.taken));
  return { gone, come: left.sort((x, y) => x - y) };
}
