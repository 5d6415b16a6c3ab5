/**
 * A canvas that fits its column, is sharp on every screen, and is drawn again when its size, the theme or what it shows changes.
 */

import { useEffect, useRef } from "preact/hooks";

/** What a drawing is given. */
export interface Surface {
  readonly context: CanvasRenderingContext2D;
  /** CSS pixels. */
  readonly width: number;
  /** CSS pixels. */
  readonly height: number;
  /**
   * A colour of the style sheet.
   *
   * @param name - `--memory`
   */
  colour(name: string): string;
}

/**
 * Keeps a canvas drawn.
 *
 * @param draw - paints everything; called with an empty surface
 * @param inputs - what it depends on
 * @returns for the canvas
 */
export function useDrawing(draw: (surface: Surface) => void, inputs: readonly unknown[]) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const latest = useRef(draw);
  latest.current = draw;
  const paint = useRef(() => {});
  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context) return;
    let asked = 0;
    paint.current = () => {
      asked ||= requestAnimationFrame(() => {
        asked = 0;
        const { clientWidth: width, clientHeight: height } = element;
        const scale = devicePixelRatio;
        if (element.width !== Math.round(width * scale) || element.height !== Math.round(height * scale)) {
          element.width = Math.round(width * scale);
          element.height = Math.round(height * scale);
        }
        context.setTransform(scale, 0, 0, scale, 0, 0);
        context.clearRect(0, 0, width, height);
        const style = getComputedStyle(element);
        const colours = new Map<string, string>();
        const colour = (name: string): string => {
          const known = colours.get(name) ?? style.getPropertyValue(name).trim();
          colours.set(name, known);
          return known;
        };
        latest.current({ context, width, height, colour });
      });
    };
    const repaint = (): void => paint.current();
    const size = new ResizeObserver(repaint);
    size.observe(element);
    addEventListener("vmbind-theme", repaint);
    return () => {
      cancelAnimationFrame(asked);
      size.disconnect();
      removeEventListener("vmbind-theme", repaint);
    };
  }, []);
  useEffect(() => paint.current(), inputs);
  return canvas;
}

/** A stretch of a line that a picture shows. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** Pixels that a pointer may move before a click is a drag. */
const CLICK_PIXELS = 4;

/**
 * Moving along a picture: drag moves, Ctrl and the wheel zoom around the pointer, a wheel to the side moves, a click picks.
 *
 * @param stretch - what is shown
 * @param show - shows another stretch
 * @param pick - a place was clicked
 */
export function useStretch(stretch: Stretch, show: (stretch: Stretch) => void, pick: (at: number) => void) {
  const drag = useRef<{ x: number; from: Stretch; moved: boolean } | null>(null);
  const placeOf = (event: MouseEvent): number => {
    const { left, width } = (event.currentTarget as HTMLElement).getBoundingClientRect();
    return stretch.from + ((event.clientX - left) / width) * (stretch.to - stretch.from);
  };
  return {
    onPointerDown(event: PointerEvent): void {
      if (event.button !== 0) return;
      (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
      drag.current = { x: event.clientX, from: stretch, moved: false };
    },
    onPointerMove(event: PointerEvent): void {
      const { current } = drag;
      if (current === null) return;
      const pixels = event.clientX - current.x;
      if (!current.moved && Math.abs(pixels) < CLICK_PIXELS) return;
      current.moved = true;
      const { width } = (event.currentTarget as HTMLElement).getBoundingClientRect();
      const by = (pixels / width) * (current.from.to - current.from.from);
      show({ from: current.from.from - by, to: current.from.to - by });
    },
    onPointerUp(event: PointerEvent): void {
      const { current } = drag;
      drag.current = null;
      if (current !== null && !current.moved) pick(placeOf(event));
    },
    onPointerCancel(): void {
      drag.current = null;
    },
    onWheel(event: WheelEvent): void {
      const length = stretch.to - stretch.from;
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        show(zoomed(stretch, placeOf(event), Math.exp(event.deltaY / 200)));
      } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        const { width } = (event.currentTarget as HTMLElement).getBoundingClientRect();
        const by = (event.deltaX / width) * length;
        show({ from: stretch.from + by, to: stretch.to + by });
      }
    },
  };
}

/**
 * @param stretch - what is shown
 * @param around - the place that stays where it is
 * @param factor - of its length: below 1 zooms in
 */
export function zoomed({ from, to }: Stretch, around: number, factor: number): Stretch {
  return { from: around - (around - from) * factor, to: around + (to - around) * factor };
}

/**
 * @param stretch - wished for
 * @param bounds - in which it has to lie
 * @param least - its shortest length
 */
export function within(stretch: Stretch, bounds: Stretch, least: number): Stretch {
  const length = Math.min(bounds.to - bounds.from, Math.max(least, stretch.to - stretch.from));
  const from = Math.max(bounds.from, Math.min(bounds.to - length, stretch.from));
  return { from, to: from + length };
}
