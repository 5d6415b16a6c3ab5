/** The time line: what each operation makes of its range, how many mappings there are, what was refused and what was found. */

import { type Stretch, type Surface, useDrawing, useStretch, within, zoomed } from "../../canvas.tsx";
import type { TraceIndex } from "./index-of.ts";

/** What it shows. */
export interface TimelineProps {
  readonly index: TraceIndex;
  /** The ioctl that is chosen. */
  readonly seq: number;
  readonly found: readonly number[];
  /** The part that is shown; null for all. */
  readonly time: readonly [number, number] | null;
  /** Shows another part; null where all of it is shown always. */
  readonly setTime: ((time: [number, number] | null) => void) | null;
  readonly choose: (seq: number) => void;
  /** For screen readers. */
  readonly label?: string;
}

const MAPPINGS_HEIGHT = 46;
const OPS_TOP = 54;
const OPS_HEIGHT = 34;
const CALLS_TOP = 94;
const CALLS_HEIGHT = 8;
const HEIGHT = 110;
/** Ten operations are as close as one can look. */
const LEAST = 10;

/** See the module. */
export function Timeline({ index, seq, found, time, setTime, choose, label = "time line" }: TimelineProps) {
  const bounds = { from: 0, to: index.length };
  const stretch = within({ from: time?.[0] ?? 0, to: time?.[1] ?? index.length }, bounds, LEAST);
  const show = (next: Stretch): void => {
    const { from, to } = within(next, bounds, LEAST);
    setTime?.(to - from >= index.length ? null : [from, to]);
  };
  const canvas = useDrawing(
    (surface) => draw(surface, index, stretch, seq, found),
    [index, stretch.from, stretch.to, seq, found],
  );
  const moves = useStretch(stretch, show, (at) => choose(index.callAt(at)));
  const middle = index.begin(seq) + 0.5;
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const steps: Record<string, number> = {
      ArrowRight: seq + 1,
      ArrowUp: seq + 1,
      ArrowLeft: seq - 1,
      ArrowDown: seq - 1,
      PageDown: seq - 10,
      PageUp: seq + 10,
      Home: 0,
      End: index.calls - 1,
    };
    const next = steps[event.key];
    if (next !== undefined) choose(Math.max(0, Math.min(index.calls - 1, next)));
    else if (event.key === "+" || event.key === "=") show(zoomed(stretch, middle, 0.5));
    else if (event.key === "-") show(zoomed(stretch, middle, 2));
    else if (event.key === "0") setTime?.(null);
    else return;
    event.preventDefault();
  };
  return (
    <figure class="timeline">
      <div
        class="stretch"
        style={{ height: `${HEIGHT}px` }}
        role="slider"
        tabIndex={0}
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={index.calls - 1}
        aria-valuenow={seq}
        aria-valuetext={`#${seq} ${index.nameOf(seq)}`}
        onKeyDown={onKeyDown}
        {...moves}
      >
        <canvas ref={canvas} />
      </div>
      {setTime !== null && (
        <figcaption>
          <span>
            Mappings, operations by what they make of their range, ioctls. Arrows choose, + and − zoom, 0
            shows all; drag moves.
          </span>
          <span class="zoom">
            <button
              type="button"
              aria-label="zoom into the time line"
              onClick={() => show(zoomed(stretch, middle, 0.5))}
            >
              +
            </button>
            <button
              type="button"
              aria-label="zoom out of the time line"
              onClick={() => show(zoomed(stretch, middle, 2))}
            >
              −
            </button>
            <button type="button" disabled={time === null} onClick={() => setTime(null)}>
              All
            </button>
          </span>
        </figcaption>
      )}
    </figure>
  );
}

/** Counts of a column of pixels. */
const counts = new Float64Array(5);
const COLOURS = ["--memory", "--shared", "--sparse", "--hole", "--rule"] as const;

function draw(
  { context, width, height, colour }: Surface,
  index: TraceIndex,
  { from, to }: Stretch,
  seq: number,
  found: readonly number[],
): void {
  const { trace } = index;
  const scale = width / (to - from);
  const x = (time: number): number => (time - from) * scale;
  const first = index.callAt(from);
  const last = index.callAt(to);
  // The chosen one, behind everything.
  context.fillStyle = colour("--chosen");
  const begin = x(index.begin(seq));
  context.fillRect(begin, 0, Math.max(2, x(index.begin(seq + 1)) - begin), height);
  let peak = 1;
  for (let i = first; i <= last; i++) peak = Math.max(peak, trace.callMappings[i] as number);
  context.fillStyle = colour("--memory-1");
  for (let i = first, edge = -1; i <= last; i++) {
    const left = x(index.begin(i));
    const right = Math.max(left + 1, x(index.begin(i + 1)));
    if (right <= edge) continue;
    const high = ((trace.callMappings[i] as number) / peak) * MAPPINGS_HEIGHT;
    context.fillRect(left, MAPPINGS_HEIGHT - high, right - left, high);
    edge = right - 0.5;
  }
  context.fillStyle = colour("--rule");
  context.fillRect(0, MAPPINGS_HEIGHT, width, 1);
  drawOps(context, index, { from, to }, width, first, colour);
  drawCalls(context, index, x, first, last, colour);
  // What was refused and what was found, in front of everything.
  context.fillStyle = colour("--bad");
  for (let i = first, edge = -1; i <= last; i++) {
    const left = x(index.begin(i));
    if (trace.callRet[i] === 0 || left < edge) continue;
    context.fillRect(
      left,
      OPS_TOP - 6,
      Math.max(2, Math.min(4, scale)),
      CALLS_TOP + CALLS_HEIGHT - OPS_TOP + 6,
    );
    edge = left + 1;
  }
  context.fillStyle = colour("--focus");
  for (const i of found) {
    if (i < first || i > last) continue;
    context.fillRect(x(index.begin(i)), height - 5, Math.max(2, Math.min(scale, 6)), 5);
  }
  context.strokeStyle = colour("--ink");
  context.lineWidth = 1;
  context.strokeRect(begin + 0.5, 0.5, Math.max(1, x(index.begin(seq + 1)) - begin - 1), height - 1);
  context.fillStyle = colour("--muted");
  context.font = `11px ${colour("--sans")}`;
  context.fillText(`${peak} mappings`, 4, 12);
}

/** Each column of pixels holds the operations that fall on it, stacked by what they stand for. */
function drawOps(
  context: CanvasRenderingContext2D,
  index: TraceIndex,
  { from, to }: Stretch,
  width: number,
  first: number,
  colour: (name: string) => string,
): void {
  const { opMeaning } = index.trace;
  const perPixel = (to - from) / width;
  let call = first;
  for (let left = 0; left < width; ) {
    const begin = from + left * perPixel;
    const right = Math.min(width, left + 1);
    const end = from + right * perPixel;
    counts.fill(0);
    let sum = 0;
    for (let time = perPixel >= 1 ? Math.ceil(begin) : Math.floor(begin); time < end; time++) {
      while (call < index.calls - 1 && index.begin(call + 1) <= time) call++;
      const { first: op, count } = index.opsOf(call);
      const nth = time - index.begin(call);
      if (nth < 0 || nth >= count) continue;
      const meaning = opMeaning[op + nth] as number;
      counts[meaning] = (counts[meaning] as number) + 1;
      sum++;
    }
    let y = OPS_TOP;
    for (let meaning = 0; sum > 0 && meaning < counts.length; meaning++) {
      const high = ((counts[meaning] as number) / sum) * OPS_HEIGHT;
      if (high === 0) continue;
      context.fillStyle = colour(COLOURS[meaning] as string);
      context.fillRect(left, y, right - left, high);
      y += high;
    }
    left = right;
  }
}

function drawCalls(
  context: CanvasRenderingContext2D,
  index: TraceIndex,
  x: (time: number) => number,
  first: number,
  last: number,
  colour: (name: string) => string,
): void {
  const { callIsBind } = index.trace;
  for (let i = first, edge = -1; i <= last; i++) {
    const left = x(index.begin(i));
    const right = x(index.begin(i + 1));
    if (right < edge) continue;
    context.fillStyle = colour(callIsBind[i] === 1 ? "--muted" : "--rule");
    context.fillRect(left, CALLS_TOP, Math.max(1, right - left - (right - left > 4 ? 1 : 0)), CALLS_HEIGHT);
    edge = Math.max(right, left + 1);
  }
}
