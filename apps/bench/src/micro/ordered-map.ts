/**
 * What one would take off the shelf for a VA manager: an ordered map from npm, of start address to mapping.
 *
 * Workloads a and b of the gpuvm area: the same addresses in the same order, the same check values. An insert refuses an
 * overlap, as a VA manager must, which costs the map one look-up. Splitting, reference counts and lists of objects are
 * not asked of it.
 *
 * @module
 */

import { createRequire } from "node:module";
import type sortedBtree from "sorted-btree";
import { addresses, FINDS, insertionOrder, UNIT } from "./gpuvm.ts";
import { compare, type Scenario } from "./harness.ts";
import { GPUVM_PEERS } from "./peers.ts";

/** What the map holds of a mapping. */
export interface Mapping {
  end: number;
  object: object;
  offset: number;
}

type OrderedMap = sortedBtree.default<number, Mapping>;

// A CommonJS module with a default export: Node.js and vitest make different things of importing one.
const BTree = (createRequire(import.meta.url)("sorted-btree") as typeof sortedBtree).default;

/** Several maps where one is filled too quickly to time. */
export interface Maps {
  maps: OrderedMap[];
  /** Inserts that met another mapping. */
  refused: number;
  /** Sum of the addresses found. */
  found: number;
}

/**
 * Workloads a and b on an ordered map.
 *
 * @param largest - leave out sizes above this
 */
export function orderedMapScenarios(largest: number): Scenario<Maps>[] {
  return [1e3, 1e5, 1e6].filter((n) => n <= largest).map(insertAndFind);
}

function insertAndFind(n: number): Scenario<Maps> {
  const copies = Math.max(1, 1e5 / n);
  const order = insertionOrder(n);
  const queries = addresses(n);
  const object = {};
  return {
    prepare: () => ({ maps: Array.from({ length: copies }, emptyMap), refused: 0, found: 0 }),
    steps: [
      {
        id: `map-a-${n}`,
        what: `sorted-btree: insert ${n} mappings in random order`,
        unit: "op",
        units: n * copies,
        run(state) {
          for (const map of state.maps) {
            for (let i = 0; i < n; i++) {
              const addr = (order[i] as number) * UNIT;
              if (!insert(map, addr, { end: addr + UNIT, object, offset: addr })) state.refused++;
            }
          }
        },
        check: ({ maps, refused }) =>
          compare("refused", refused, 0) ??
          compare(
            "mappings",
            maps.reduce((sum, { size }) => sum + size, 0),
            n * copies,
          ),
        peer: null,
      },
      {
        id: `map-b-${n}`,
        what: `sorted-btree: find the mapping at 1,000,000 random addresses among ${n}`,
        unit: "op",
        units: FINDS,
        run(state) {
          const map = state.maps[0] as OrderedMap;
          const pair = emptyPair();
          let sum = 0;
          for (let i = 0; i < FINDS; i++) {
            const addr = queries[i] as number;
            const below = map.getPairOrNextLower(addr, pair);
            if (below && below[1].end > addr) sum += below[0];
          }
          state.found = sum;
        },
        check: ({ found }) => compare("sum of found addresses", found, GPUVM_PEERS[`b-${n}`]?.sum),
        peer: null,
      },
    ],
  };
}

function emptyMap(): OrderedMap {
  return new BTree(undefined, (a, b) => a - b);
}

/** For look-ups, which need not make a pair each then. */
function emptyPair(): [number, Mapping] {
  return [0.5, { end: 0.5, object: {}, offset: 0.5 }];
}

/** False when another mapping is in the way: the last one that starts before the end is the only one that can be. */
function insert(map: OrderedMap, addr: number, mapping: Mapping): boolean {
  const below = map.nextLowerPair(mapping.end, PAIR);
  if (below && below[1].end > addr) return false;
  return map.set(addr, mapping);
}

const PAIR: [number, Mapping] = emptyPair();
