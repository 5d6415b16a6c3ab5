/** The list of ioctls, all of them, a line each. */

import { errnoName, hex, size } from "@vmbind/drm";
import { VirtualList } from "../../virtual-list.tsx";
import type { TraceIndex } from "./index-of.ts";

/** See the module. */
export function CallList({
  index,
  seq,
  rows,
  choose,
}: {
  index: TraceIndex;
  seq: number;
  /** Only these, ascending; null for all. */
  rows: readonly number[] | null;
  choose: (seq: number) => void;
}) {
  const at = (row: number): number => rows?.[row] ?? row;
  const count = rows?.length ?? index.calls;
  const chosen = rows === null ? seq : rows.indexOf(seq);
  return (
    <VirtualList
      label="ioctls"
      count={count}
      rowHeight={24}
      rowsShown={18}
      chosen={chosen}
      choose={(row) => choose(at(row))}
      rowClass={(row) => (index.trace.callRet[at(row)] === 0 ? "call" : "call refused")}
      row={(row) => <Call index={index} seq={at(row)} />}
    />
  );
}

function Call({ index, seq }: { index: TraceIndex; seq: number }) {
  const { trace } = index;
  const ret = trace.callRet[seq] ?? 0;
  const { count } = index.opsOf(seq);
  return (
    <>
      <span class="seq">#{seq}</span>
      <span class="name">{index.nameOf(seq)}</span>
      <span class="what">{count > 0 ? opsText(index, seq) : trace.texts[seq]}</span>
      {ret !== 0 && <span class="ret">{errnoName(ret)}</span>}
    </>
  );
}

/** The first operation, and how many more there are. */
function opsText(index: TraceIndex, seq: number): string {
  const { opAddr, opRange, opHeading, headings } = index.trace;
  const { first, count } = index.opsOf(seq);
  const text = `${headings[opHeading[first] as number]} ${hex(opAddr[first] as number)} + ${size(opRange[first] as number)}`;
  return count === 1 ? text : `${count} ops: ${text}, …`;
}
