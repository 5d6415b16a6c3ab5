/**
 * One ioctl in words: what it said, what came of it, and the numbers that it changed. The command writes it for every ioctl of a
 * trace, the page's script for the one that is chosen, where there are too many to write all.
 *
 * @module
 */

import type { CostSchema } from "@vmbind/drm";
import { GPUVM_COSTS } from "@vmbind/gpuvm-core";
import { MMU_COSTS } from "@vmbind/mmu";
import { type Moment, result } from "@vmbind/trace";
import type { PageData } from "../report/figure-data.ts";
import { type Html, html } from "../report/html.ts";
import { EXPLORE_GROUPS } from "./fields.ts";

/** Numbers of a moment that are shown. */
const SHOWN = [
  "opCount",
  "stepCount",
  "pteWrites",
  "pteClears",
  "tablesAllocated",
  "tablesFreed",
  "tlbInvalidations",
  "gpuvasLive",
  "tablesLive",
] as const satisfies (keyof Moment)[];

const COSTS: CostSchema = { ...GPUVM_COSTS, ...MMU_COSTS };

/** Numbers that say something: what the call did, and levels that it changed. */
function shownNumbers(moments: readonly Moment[], index: number): (typeof SHOWN)[number][] {
  const now = moments[index] as Moment;
  const before = moments[index - 1];
  return SHOWN.filter((name) =>
    COSTS[name]?.kind === "level" ? now[name] !== before?.[name] : now[name] !== 0,
  );
}

/**
 * @param moments - the ioctls of the trace
 * @param data - the story as the page carries it
 * @param index - of the ioctl
 * @param named - whether it can be linked to
 * @returns the ioctl in words
 */
export function article(moments: readonly Moment[], data: PageData, index: number, named: boolean): Html {
  const { seq, ioctl, text, ret, reason, marks, phase, lines, leaves, leafRunCount, opCount, stepCount } =
    moments[index] as Moment;
  const numbers = shownNumbers(moments, index).map(
    (name) =>
      html`<li>${EXPLORE_GROUPS[0]?.fields[name]?.title ?? name} ${data.show(`moments.${index}.${name}`)}</li>`,
  );
  const cut = opCount + stepCount - lines.length;
  const more = leafRunCount - leaves.length;
  return html`<article class="moment"${named ? html` id="ioctl-${seq}"` : null}><h3>#${seq} ${ioctl}</h3>
<p>${text} = <span class="${ret === 0 ? "fine" : "refused"}">${result(ret)}${reason ? `: ${reason}` : ""}</span> (phase ${phase}${marks.length > 0 ? html`; before it: ${marks.join(", ")}` : null})</p>
<ul class="inline">${numbers}</ul>
${lines.length > 0 ? html`<pre tabindex="0">${lines.join("\n")}${cut > 0 ? `\n... ${cut} more operations and steps` : ""}</pre>` : null}${leaves.length > 0 ? html`<p>Leaves of the page tables that came (+), went (-) or changed (~):</p><pre tabindex="0">${leaves.join("\n")}${more > 0 ? `\n... ${more} more runs` : ""}</pre>` : null}</article>
`;
}
