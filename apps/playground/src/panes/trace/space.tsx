/**
 * The address space behind an ioctl, from all of it down to a page: what is mapped, what the ioctl changed, and the address that is
 * looked at. The bar above is the whole space, the one below the part of it that is shown.
 */

import { hex, size } from "@vmbind/drm";
import { useMemo } from "preact/hooks";
import { type Stretch, type Surface, useDrawing, useStretch, within, zoomed } from "../../canvas.tsx";
import type { AnswerOf } from "../../engine/protocol.ts";
import type { TraceIndex, Vm } from "./index-of.ts";
import { firstEndingBehind, placesOf } from "./places.ts";

type Mappings = AnswerOf<"list-mappings">;

/** What it shows. */
export interface SpaceProps {
  readonly index: TraceIndex;
  readonly vm: Vm;
  readonly seq: number;
  readonly mappings: Mappings;
  /** The part that is shown; null for where the ioctl is. */
  readonly view: readonly [number, number] | null;
  readonly setView: (view: [number, number] | null) => void;
  /** The address that is looked at; null for none. */
  readonly va: number | null;
  readonly lookAt: (va: number) => void;
}

const WHOLE_HEIGHT = 14;
const BAND_TOP = 30;
const BAND_HEIGHT = 62;
const CHANGE_TOP = 98;
const RULER_TOP = 110;
const HEIGHT = 136;
/** Rows of the table of what is in view. */
const ROWS_MAX = 60;

/** See the module. */
export function Space({ index, vm, seq, mappings, view, setView, va, lookAt }: SpaceProps) {
  const bounds = { from: 0, to: 2 ** vm.vaBits };
  const own = useMemo(() => whereCallIs(index, vm, seq, mappings), [index, vm, seq, mappings]);
  const wished = view === null ? own : { from: view[0], to: view[1] };
  const stretch = whole(within(wished, bounds, vm.pageBytes));
  const show = (next: Stretch): void => {
    const { from, to } = whole(within(next, bounds, vm.pageBytes));
    setView([from, to]);
  };
  const pick = (at: number): void => {
    const inside = Math.max(0, Math.min(bounds.to - 1, at));
    lookAt(Math.floor(inside / vm.pageBytes) * vm.pageBytes);
  };
  const canvas = useDrawing(
    (surface) => draw(surface, { index, vm, seq, mappings, stretch, bounds, va }),
    [index, vm, seq, mappings, stretch.from, stretch.to, va],
  );
  const moves = useStretch(stretch, show, pick);
  const places = useMemo(() => placesOf(mappings.addr, mappings.range), [mappings]);
  const middle = va !== null && va >= stretch.from && va < stretch.to ? va : (stretch.from + stretch.to) / 2;
  const length = stretch.to - stretch.from;
  const move = (share: number): void =>
    show({ from: stretch.from + share * length, to: stretch.to + share * length });
  const zoom = (factor: number): void => show(zoomed(stretch, middle, factor));
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") zoom(0.5);
    else if (event.key === "-") zoom(2);
    else if (event.key === "ArrowLeft") move(-0.1);
    else if (event.key === "ArrowRight") move(0.1);
    else if (event.key === "PageUp") move(-0.9);
    else if (event.key === "PageDown") move(0.9);
    else if (event.key === "0") show(bounds);
    else if (event.key === "Enter") pick(middle);
    else return;
    event.preventDefault();
  };
  return (
    <figure class="space">
      <div class="controls">
        <button type="button" aria-label="zoom in" onClick={() => zoom(0.25)}>
          +
        </button>
        <button type="button" aria-label="zoom out" onClick={() => zoom(4)}>
          −
        </button>
        <button type="button" aria-label="to lower addresses" onClick={() => move(-0.5)}>
          ←
        </button>
        <button type="button" aria-label="to higher addresses" onClick={() => move(0.5)}>
          →
        </button>
        <button type="button" onClick={() => show(bounds)}>
          All 2^{vm.vaBits}
        </button>
        <button type="button" disabled={view === null} onClick={() => setView(null)}>
          This ioctl
        </button>
        <output class="range" aria-label="part that is shown">
          {hex(stretch.from)} … {hex(stretch.to)} <span class="muted">{sizeOf(length)}</span>
        </output>
      </div>
      <div
        class="stretch"
        style={{ height: `${HEIGHT}px` }}
        role="slider"
        tabIndex={0}
        aria-label={`address space of VM ${vm.vm} behind #${mappings.seq}: ${mappings.addr.length} mappings`}
        aria-valuemin={0}
        aria-valuemax={bounds.to}
        aria-valuenow={(stretch.from + stretch.to) / 2}
        aria-valuetext={`${hex(stretch.from)} to ${hex(stretch.to)}`}
        onKeyDown={onKeyDown}
        onDblClick={() => zoom(0.25)}
        {...moves}
      >
        <canvas ref={canvas} />
      </div>
      <figcaption>
        <Legend />
        <span>
          Click an address to look at it. + and − zoom, arrows move, Enter looks at the middle; drag moves,
          Ctrl and the wheel zoom.
        </span>
      </figcaption>
      {places.length > 0 && (
        <ul class="places" aria-label="places with mappings">
          {places.map((place) => (
            <li key={place.from}>
              <button type="button" onClick={() => show(around(place))}>
                {hex(place.from)}{" "}
                <span class="muted">
                  {sizeOf(place.to - place.from)} · {place.count}
                </span>
              </button>
            </li>
          ))}
        </ul>
      )}
      <MappingTable mappings={mappings} stretch={stretch} lookAt={lookAt} />
    </figure>
  );
}

/** Where the ioctl did something; else where anything is mapped; else everything. */
function whereCallIs(index: TraceIndex, vm: Vm, seq: number, { addr, range }: Mappings): Stretch {
  const { opAddr, opRange } = index.trace;
  let from = Number.POSITIVE_INFINITY;
  let to = 0;
  if (index.vmOf(seq) === vm) {
    const { first, count } = index.opsOf(seq);
    for (let op = first; op < first + count; op++) {
      if (opRange[op] === 0) continue;
      from = Math.min(from, opAddr[op] as number);
      to = Math.max(to, (opAddr[op] as number) + (opRange[op] as number));
    }
  }
  if (from < to) return around({ from, to });
  const last = addr.length - 1;
  if (last < 0) return { from: 0, to: 2 ** vm.vaBits };
  return around({ from: addr[0] as number, to: (addr[last] as number) + (range[last] as number) });
}

/** Addresses are whole bytes. */
function whole({ from, to }: Stretch): Stretch {
  return { from: Math.floor(from), to: Math.ceil(to) };
}

function around({ from, to }: Stretch): Stretch {
  const margin = (to - from) * 0.08;
  return { from: from - margin, to: to + margin };
}

/** Sizes of any length in two or three digits: `95.4 MiB`. */
export function sizeOf(bytes: number): string {
  if (bytes < 1024) return `${Math.round(bytes)} bytes`;
  const units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
  const at = Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10) - 1);
  const value = bytes / 2 ** (10 * (at + 1));
  return `${value >= 100 ? Math.round(value) : Number(value.toPrecision(3))} ${units[at]}`;
}

function Legend() {
  const meanings = [
    ["--memory", "memory"],
    ["--shared", "stands for nothing, shared"],
    ["--sparse", "nothing bound"],
  ] as const;
  return (
    <span class="legend">
      {meanings.map(([colour, text]) => (
        <span key={colour}>
          <span class="swatch" style={{ background: `var(${colour})` }} />
          {text}
        </span>
      ))}
    </span>
  );
}

function MappingTable({
  mappings,
  stretch,
  lookAt,
}: {
  mappings: Mappings;
  stretch: Stretch;
  lookAt: (va: number) => void;
}) {
  const { addr, range, kind, kinds, handle, offset } = mappings;
  const first = firstEndingBehind(addr, range, stretch.from);
  const rows: number[] = [];
  let last = first;
  while (last < addr.length && (addr[last] as number) < stretch.to) {
    if (rows.length < ROWS_MAX) rows.push(last);
    last++;
  }
  const count = last - first;
  return (
    <details class="mappings">
      <summary>
        {count} {count === 1 ? "mapping" : "mappings"} in view
      </summary>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">address</th>
              <th scope="col" class="number">
                size
              </th>
              <th scope="col">kind</th>
              <th scope="col">object</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((i) => (
              <tr key={i}>
                <td class="mono">
                  <button type="button" class="address" onClick={() => lookAt(addr[i] as number)}>
                    {hex(addr[i] as number)}
                  </button>
                </td>
                <td class="number">{size(range[i] as number)}</td>
                <td>{kinds[kind[i] as number]}</td>
                <td class="mono">{handle[i] === 0 ? "" : `BO ${handle[i]} + ${hex(offset[i] as number)}`}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {count > rows.length && <p class="muted">… {count - rows.length} more: zoom in</p>}
    </details>
  );
}

interface Picture {
  readonly index: TraceIndex;
  readonly vm: Vm;
  readonly seq: number;
  readonly mappings: Mappings;
  readonly stretch: Stretch;
  readonly bounds: Stretch;
  readonly va: number | null;
}

function draw(surface: Surface, picture: Picture): void {
  const { context, width, colour } = surface;
  const { mappings, stretch, bounds, va } = picture;
  // The whole: a mapping is a pixel wide at least, and so is what is shown of it.
  context.fillStyle = colour("--panel");
  context.fillRect(0, 0, width, WHOLE_HEIGHT);
  drawMappings(surface, mappings, bounds, 0, WHOLE_HEIGHT, false);
  const whole = width / (bounds.to - bounds.from);
  const left = stretch.from * whole;
  const right = Math.max(left + 3, stretch.to * whole);
  context.strokeStyle = colour("--ink");
  context.lineWidth = 1.5;
  context.strokeRect(left + 0.5, 0.75, Math.min(width - 1, right) - left, WHOLE_HEIGHT - 1.5);
  // Lines from that part to the band which shows it.
  context.strokeStyle = colour("--rule");
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(left, WHOLE_HEIGHT);
  context.lineTo(0, BAND_TOP);
  context.moveTo(right, WHOLE_HEIGHT);
  context.lineTo(width, BAND_TOP);
  context.stroke();
  context.fillStyle = colour("--panel");
  context.fillRect(0, BAND_TOP, width, BAND_HEIGHT);
  drawMappings(surface, mappings, stretch, BAND_TOP, BAND_HEIGHT, true);
  drawChanges(surface, picture);
  drawRuler(surface, stretch);
  if (va === null || va < stretch.from || va >= stretch.to) return;
  const x = ((va - stretch.from) / (stretch.to - stretch.from)) * width;
  context.fillStyle = colour("--focus");
  context.fillRect(x, BAND_TOP - 6, 2, RULER_TOP - BAND_TOP + 6);
}

/** Below the band: what the ioctl named. */
function drawChanges({ context, width, colour }: Surface, { index, vm, seq, stretch }: Picture): void {
  if (index.vmOf(seq) !== vm) return;
  const { opAddr, opRange } = index.trace;
  const { first, count } = index.opsOf(seq);
  const scale = width / (stretch.to - stretch.from);
  context.fillStyle = colour("--ink");
  for (let op = first, edge = -1; op < first + count; op++) {
    const addr = opAddr[op] as number;
    const end = addr + (opRange[op] as number);
    if (end < stretch.from || addr > stretch.to) continue;
    const left = Math.max(0, (addr - stretch.from) * scale);
    const right = Math.min(width, (end - stretch.from) * scale);
    if (right < edge && left > edge - 1) continue;
    context.fillRect(left, CHANGE_TOP, Math.max(1, right - left), 4);
    edge = right;
  }
}

const COLOURS = ["--memory", "--shared", "--sparse", "--hole", "--muted"] as const;
/** Wider ones have an edge, and words. */
const EDGE_PIXELS = 4;
const WORDS_PIXELS = 64;

function drawMappings(
  { context, width, colour }: Surface,
  mappings: Mappings,
  { from, to }: Stretch,
  top: number,
  height: number,
  words: boolean,
): void {
  const { addr, range, meaning, handle, offset, kinds, kind } = mappings;
  const scale = width / (to - from);
  const paper = colour("--paper");
  context.font = `11px ${colour("--sans")}`;
  let edge = -1;
  for (let i = firstEndingBehind(addr, range, from); i < addr.length; i++) {
    const start = addr[i] as number;
    if (start >= to) break;
    // Whole pixels: thousands of mappings with an edge between two pixels each would be a pattern that is not there.
    const left = Math.max(0, edge, Math.floor((start - from) * scale));
    const right = Math.min(width, Math.ceil((start + (range[i] as number) - from) * scale));
    // Of mappings on one pixel the first is drawn.
    if (right <= edge) continue;
    const wide = Math.max(1, right - left);
    context.fillStyle = colour(COLOURS[meaning[i] as number] ?? "--muted");
    context.fillRect(left, top, wide, height);
    edge = left + wide;
    if (!words || wide < EDGE_PIXELS) continue;
    context.fillStyle = paper;
    context.fillRect(right - 1, top, 1, height);
    if (wide < WORDS_PIXELS) continue;
    const object = handle[i] === 0 ? (kinds[kind[i] as number] ?? "") : `BO ${handle[i]}`;
    const more = handle[i] === 0 ? "" : `+ ${hex(offset[i] as number)}`;
    context.save();
    context.beginPath();
    context.rect(left, top, wide - 3, height);
    context.clip();
    context.fillText(object, left + 5, top + 16);
    context.fillText(more, left + 5, top + 30);
    context.fillText(sizeOf(range[i] as number), left + 5, top + height - 8);
    context.restore();
  }
}

/** Ticks at a power of two, named in hex. */
function drawRuler({ context, width, colour }: Surface, { from, to }: Stretch): void {
  const digits = Math.max(3, Math.ceil(Math.log2(to) / 4));
  const least = ((to - from) / width) * (digits * 7 + 40);
  const step = 2 ** Math.ceil(Math.log2(least));
  context.fillStyle = colour("--muted");
  context.font = `11px ${colour("--mono")}`;
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
    const x = ((at - from) / (to - from)) * width;
    context.fillRect(x, RULER_TOP - 6, 1, 8);
    const text = hex(at);
    const wide = context.measureText(text).width;
    if (x >= wide / 2 && x + wide / 2 <= width) context.fillText(text, x - wide / 2, RULER_TOP + 16);
  }
}
