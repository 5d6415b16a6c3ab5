/// <reference lib="dom" />
/**
 * What the page of a trace does when it has JavaScript: choose an ioctl, see the address space behind it.
 *
 * The function is put into the page as text, so it uses nothing from outside itself; the picture that it draws is the one
 * that pictures.ts draws for the page without JavaScript.
 *
 * @module
 */

import type { MappingTuple, TraceStory } from "@vmbind/trace";

/** Plays the story to the chosen ioctl. */
export function exploreScript(): void {
  const story = JSON.parse(document.getElementById("data")?.textContent ?? "{}") as TraceStory;
  const { regions, kinds } = story;
  // The page leaves out what is 0 or empty.
  const moments = story.moments.map((m, seq) => ({
    ...m,
    seq,
    added: m.added ?? [],
    removed: m.removed ?? [],
  }));
  const find = <T extends Element>(selector: string): T => document.querySelector<T>(selector) as T;
  const slider = find<HTMLInputElement>("#seq");
  const which = find<HTMLElement>("#which");
  const cursor = find<HTMLElement>("#cursor");
  const timeline = find<HTMLElement>("#timeline");
  const stage = find<HTMLElement>("#moment");
  const bars = [...document.querySelectorAll<SVGSVGElement>(".vamap svg")];
  const colours = [4, 3, 2, 5, 1, 6];

  const hex = (value: number): string => `0x${value.toString(16)}`;
  const bytes = (value: number): string => {
    const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let unit = 0;
    let left = value;
    for (; left >= 1024 && unit < units.length - 1; unit++) left /= 1024;
    return `${Number.isInteger(left) || left >= 100 ? Math.round(left) : left.toPrecision(3)} ${units[unit]}`;
  };

  const mappingsAfter = (seq: number): MappingTuple[] => {
    const mapped = new Map<string, MappingTuple>();
    for (const { added, removed } of moments.slice(0, seq + 1)) {
      for (const [vm, addr] of removed) mapped.delete(`${vm} ${addr}`);
      for (const mapping of added) mapped.set(`${mapping[0]} ${mapping[1]}`, mapping);
    }
    return [...mapped.values()];
  };

  const rect = (x: number, width: number, y: number, height: number, fill: string): SVGRectElement => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const attributes = { x, width, y, height, fill };
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    return element;
  };

  const drawSpace = (seq: number): void => {
    const mapped = mappingsAfter(seq);
    const fresh = new Set(moments[seq]?.added.map(([vm, addr]) => `${vm} ${addr}`));
    for (const [i, region] of regions.entries()) {
      const inside = mapped.filter(
        ([vm, addr]) => vm === region.vm && addr >= region.addr && addr < region.addr + region.range,
      );
      const shapes = inside.flatMap(([vm, addr, range, kind, bo, offset]) => {
        const x = ((addr - region.addr) / region.range) * 1000;
        const width = (range / region.range) * 1000;
        const shape = rect(x, width, 0, 16, `var(--s${colours[kind % 6]})`);
        if (width > 4) shape.setAttribute("stroke", "var(--paper)");
        shape.setAttribute("stroke-width", "0.6");
        shape.dataset["tip"] =
          `${kinds[kind]} ${hex(addr)}, ${bytes(range)}${bo ? `, BO ${bo} + ${hex(offset)}` : ""}`;
        return fresh.has(`${vm} ${addr}`) ? [shape, rect(x, width, 18, 4, "var(--ink)")] : [shape];
      });
      bars[i]?.replaceChildren(...shapes);
      bars[i]?.setAttribute(
        "aria-label",
        `VM ${region.vm} at ${hex(region.addr)}: ${inside.length} mappings`,
      );
    }
  };

  const choose = (wanted: number): void => {
    const seq = Math.max(0, Math.min(moments.length - 1, wanted));
    slider.value = String(seq);
    slider.setAttribute("aria-valuetext", `#${seq} ${moments[seq]?.ioctl}`);
    which.textContent = `#${seq} ${moments[seq]?.ioctl}`;
    cursor.style.left = `calc(${((seq + 0.5) / moments.length) * 100}% - 1px)`;
    const article = document.getElementById(`ioctl-${seq}`)?.cloneNode(true) as HTMLElement | undefined;
    article?.removeAttribute("id");
    if (article) stage.replaceChildren(article);
    drawSpace(seq);
    history.replaceState(null, "", `#at-${seq}`);
  };
  const from = (start: number, step: 1 | -1): void => {
    for (let seq = start + step; seq >= 0 && seq < moments.length; seq += step) {
      if (moments[seq]?.what !== "bind") continue;
      choose(seq);
      return;
    }
  };

  slider.addEventListener("input", () => choose(Number(slider.value)));
  find("#previous").addEventListener("click", () => from(Number(slider.value), -1));
  find("#next").addEventListener("click", () => from(Number(slider.value), 1));
  timeline.addEventListener("click", (event) => {
    const { left, width } = timeline.getBoundingClientRect();
    choose(Math.floor(((event.clientX - left) / width) * moments.length));
  });
  const linked = /^#at-(\d+)$/.exec(location.hash);
  choose(linked ? Number(linked[1]) : Number(slider.value));
}
