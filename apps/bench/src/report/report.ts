/**
 * The HTML report: the question, the findings, charts and tables, and how every number came about.
 *
 * @module
 */

import { type CostFigures, type GpuView, workloadNames } from "@vmbind/lab";
import { PHASES } from "@vmbind/trace";
import { KERNELS } from "../compare/kernels.ts";
import { answerSection } from "./answer.ts";
import { type Bar, drawBars } from "./bars.ts";
import { FIELD_GROUPS } from "./field-groups.ts";
import { fieldAt } from "./fields.ts";
import { PageData } from "./figure-data.ts";
import { drawGrowth, type GrowthPoint } from "./growth.ts";
import { type Html, html } from "./html.ts";
import type { ReportInput } from "./input.ts";
import { drawLeafMap, type LeafRow } from "./leaf-map.ts";
import { measuredSection } from "./measured.ts";
import { renderPage } from "./page.ts";
import { strategyStyle } from "./palette.ts";
import { type Drawing, startDrawing } from "./plot.ts";
import { readsSection } from "./reads.ts";
import { boxed } from "./scrolling.ts";
import { sentence } from "./sentence.ts";
import {
  accountingTable,
  costTable,
  experimentTables,
  factsTable,
  kernelNote,
  methodsTables,
  objectsTable,
  semanticsDetails,
  semanticsMatrix,
  strategiesTable,
  sweepTable,
  traceTable,
} from "./tables.ts";
import { timeSection } from "./time.ts";
import { accountingVerdicts, verdictSection } from "./verdicts.ts";

/** Costs that can be chosen, the first one by default. */
const METRICS = [
  "bindOps",
  "bindIoctls",
  "payloadBytes",
  "gpuvmSteps",
  "gpuvasPeak",
  "pteWrites",
  "tablesAllocated",
  "tableBytesPeak",
  "tlbInvalidations",
] as const satisfies (keyof CostFigures)[];

/** What the first figure shows of the creation. */
const CREATION = [
  "bindOps",
  "payloadBytes",
  "mapSteps",
  "pteWrites",
  "tablesAllocated",
  "tlbInvalidations",
] as const satisfies (keyof CostFigures)[];

const WIDTH = 350;
/** Longer lists of runs are left out of the page's JSON; the map shows them. */
const RUNS_KEPT = 64;

/**
 * Make the report.
 *
 * @param input - what was measured
 * @returns one HTML page that works offline and carries its data
 */
export async function renderReport(input: ReportInput): Promise<string> {
  const report = new Report(input, await startDrawing(input.strategies));
  return renderPage({
    ...headOf(input),
    body: report.body(),
    contents: true,
    data: withoutLongRuns(input),
    style: strategyStyle(input.strategies),
    script: "report",
  });
}

/** A report on workloads of the user's own is about them. */
function headOf({ answer, lab }: ReportInput): { title: string; lead: string } {
  const own = lab.costs.find(({ workload }) => workload === answer.workload);
  const known = answer.workload === "" || workloadNames().includes(answer.workload);
  if (known || own === undefined) {
    return {
      title: "How should user space say that a range is sparse?",
      lead: "Answers in Linux GPU drivers, run on executable models and counted.",
    };
  }
  return {
    title: `${answer.workload}: what it costs under each way to say that a range is sparse`,
    lead: `${own.description}, run on executable models of Linux GPU drivers and counted.`,
  };
}

/** Everything but lists of runs that nobody reads. */
function withoutLongRuns(input: ReportInput): ReportInput {
  const short = (view: GpuView): GpuView => (view.runs.length > RUNS_KEPT ? { ...view, runs: [] } : view);
  const costs = input.lab.costs.map((c) => ({ ...c, views: c.views.map(short) }));
  return { ...input, lab: { ...input.lab, costs } };
}

class Report {
  readonly #input: ReportInput;
  readonly #drawing: Drawing;
  readonly #data: PageData;
  readonly #workloads: string[];

  constructor(input: ReportInput, drawing: Drawing) {
    this.#input = input;
    this.#drawing = drawing;
    this.#data = new PageData(input, FIELD_GROUPS, kernelNote(input.kernel));
    this.#workloads = [...new Set(input.lab.costs.map((c) => c.workload))];
  }

  body(): Html {
    return html`${this.#question()}${answerSection(this.#input, this.#data)}${this.#strategies()}${verdictSection(this.#input)}${this.#accounting()}${this.#findings()}${this.#creation()}${this.#costs()}${this.#growth()}${this.#leaves()}${readsSection(this.#input, this.#data)}${this.#semantics()}${this.#experiments()}${timeSection(this.#input, this.#data)}${measuredSection(this.#input, this.#data)}${this.#traces()}${this.#methods()}${this.#reproduce()}`;
  }

  #question(): Html {
    return html`<section id="question"><h2>The question</h2>
<p>A Vulkan sparse resource has addresses before it has memory. Shaders may touch an address to which nothing is bound, and
that must not fault. So the user-mode driver has to tell the kernel, through its <code>VM_BIND</code> ioctl, that a range is
to be mapped to nothing in particular. Linux has several ways to say so, one of them proposed and withdrawn.</p></section>`;
  }

  #strategies(): Html {
    const names = new Set(this.#input.answer.rows.map((row) => row.strategy));
    return html`<section id="strategies"><h2>The answers</h2>
${strategiesTable(this.#input.strategies.filter((s) => names.has(s.name)))}
<p>Here the same workloads go through each of them: bytes of real ioctls into models of the drivers, real page-table bits
out of them, and a model of the MMU that reads those bits. Costs are counted, not timed. Kernel ${this.#input.kernel}: ${KERNELS[this.#input.kernel]}.</p></section>`;
  }

  #findings(): Html {
    const { findings } = this.#input.lab;
    return html`<section id="findings"><h2>Findings</h2>
<ol class="findings">${findings.map((finding, i) => html`<li id="finding-${finding.id}">${sentence(finding, `lab.findings.${i}`)} <a class="anchor" href="#finding-${finding.id}" aria-label="link to the finding ${finding.id}">#</a></li>`)}</ol>
<p>These sentences are computed from the data below.</p></section>`;
  }

  #creation(): Html {
    const workload = this.#workloads[0] as string;
    const description = this.#describe(workload);
    const panels = CREATION.map((metric) => {
      const bars = this.#bars(workload, metric, ["create"]).map((b) => ({ ...b, group: "" }));
      const { title } = this.#field(metric);
      return html`<div class="panel"><h3>${title}</h3>${drawBars(this.#drawing, { title: `${title} to create the resource of ${workload}`, bars, groups: [""], width: WIDTH })}</div>`;
    });
    return html`<section id="creation"><h2>Creating one sparse resource</h2>
<figure><div class="panels">${panels}</div>
<figcaption><b>Figure 1.</b> What it takes to create the resource of ${workload} (${description}). ${shortDrivers(this.#input.strategies)} Bars
stand on a linear scale, dots on a logarithmic one, where the numbers are far apart; each panel has its own. ${this.#data.note}</figcaption></figure></section>`;
  }

  #costs(): Html {
    const variants: Variant[] = this.#workloads.flatMap((workload) =>
      METRICS.map((metric) => ({ keys: { workload, metric }, body: this.#phasePanel(workload, metric) })),
    );
    const across: Variant[] = METRICS.map((metric) => ({
      keys: { metric },
      body: this.#workloadPanel(metric),
    }));
    return html`<section id="costs"><h2>What workloads cost</h2>
<p>A resource is created, its memory allocated, tiles are bound and unbound, and it is destroyed.</p>
<ul>${this.#workloads.map((w) => html`<li><b>${w}</b>: ${this.#describe(w)}</li>`)}</ul>
<figure class="chooser">${this.#controls(["workload", "metric"])}
${stage([...variants, ...across], ({ keys }) => keys.metric === METRICS[0] && (keys.workload ?? this.#workloads[0]) === this.#workloads[0], "panels")}
<figcaption><b>Figure 2.</b> One cost in each phase of a workload, and over whole workloads. Opening the device is left out;
peaks are since it was opened. Phases in which nobody pays are left out. ${this.#data.note}</figcaption></figure>
${this.#workloads.map((w, i) => html`<details${i === 0 ? html` open` : null}><summary>All figures of ${w}</summary>${costTable(this.#input, this.#data, w)}${factsTable(this.#input, this.#data, w)}</details>`)}
</section>`;
  }

  #phasePanel(workload: string, metric: keyof CostFigures): Html {
    const here = this.#input.lab.costs.filter((c) => c.workload === workload);
    const phases = PHASES.filter((p) => p !== "setup" && here.some((c) => c.phases[p]));
    const bars = this.#bars(workload, metric, phases);
    const { title } = this.#field(metric);
    // A phase in which nobody pays anything says nothing.
    const groups = phases.filter((p) => bars.some((b) => b.group === p && (b.figure?.value ?? 0) > 0));
    const shown = groups.length > 0 ? groups : phases.slice(0, 1);
    return html`<h3>${title} by phase: ${workload}</h3>${drawBars(this.#drawing, { title: `${title} by phase, ${workload}`, bars: bars.filter((b) => shown.includes(b.group as (typeof shown)[number])), groups: shown, width: WIDTH })}`;
  }

  #workloadPanel(metric: keyof CostFigures): Html {
    const { title } = this.#field(metric);
    const bars: Bar[] = this.#input.lab.costs.map((c, i) => ({
      strategy: c.strategy,
      group: c.workload,
      figure: this.#data.at(`lab.costs.${i}.total.${metric}`),
    }));
    return html`<h3>${title} of whole workloads</h3>${drawBars(this.#drawing, { title: `${title} of whole workloads`, bars, groups: this.#workloads, width: WIDTH })}`;
  }

  #growth(): Html {
    const { sweeps } = this.#input;
    if (sweeps.rows.length === 0) return html``;
    const variants: Variant[] = METRICS.flatMap((metric) =>
      (["size", "fraction"] as const).map((axis) => ({
        keys: { metric, axis },
        body: this.#growthPanel(metric, axis),
      })),
    );
    return html`<section id="growth"><h2>How costs grow</h2>
<figure class="chooser">${this.#controls(["metric"])}
${stage(variants, (v) => v.keys.metric === METRICS[0], "panels")}
<figcaption><b>Figure 3.</b> Cost of a whole workload over the size of its resource (bound part: ${this.#data.show("sweeps.boundFraction")};
tiles of ${this.#data.show("sweeps.tileBytes")}), and over the bound part of a resource of ${this.#data.show("sweeps.sizeBytes")}. On the left
both axes are logarithmic: a line of slope one grows with the size. A 0 is drawn at the foot. Where curves coincide, threads
lead from the one to all its names.${this.#short() ? " A curve that ends early would have needed more operations than were run." : null} ${this.#data.note}</figcaption></figure></section>`;
  }

  /** Whether some strategy was not measured up to the largest size. */
  #short(): boolean {
    const sizes = this.#input.sweeps.rows.filter((r) => r.axis === "size");
    const largest = Math.max(...sizes.map((r) => r.x));
    const names = new Set(sizes.map((r) => r.strategy));
    return [...names].some((name) => !sizes.some((r) => r.strategy === name && r.x === largest));
  }

  #growthPanel(metric: keyof CostFigures, axis: "size" | "fraction"): Html {
    const { title } = this.#field(metric);
    const points: GrowthPoint[] = this.#input.sweeps.rows.flatMap((row, i) => {
      const figure = this.#data.at(`sweeps.rows.${i}.figures.${metric}`);
      return row.axis === axis && figure ? [{ strategy: row.strategy, x: row.x, figure }] : [];
    });
    const heading = `${title} over ${axis === "size" ? "size" : "bound part"}`;
    return html`<h3>${heading}</h3>${points.length > 0 ? drawGrowth(this.#drawing, { title: heading, axis, points, width: WIDTH }) : html`<p>not measured</p>`}`;
  }

  #leaves(): Html {
    const moments = this.#workloads.flatMap((workload) =>
      (["created", "used"] as const).flatMap((moment) => {
        const rows = this.#views(workload, moment);
        return rows.length > 0 ? [{ workload, moment, rows }] : [];
      }),
    );
    const variants = moments.map(({ workload, moment, rows }) => ({
      keys: { view: `${workload}, ${moment}` },
      body: html`<h3>${workload}, ${moment === "created" ? "just created" : "before it is destroyed"}</h3>${drawLeafMap(this.#drawing, this.#data, rows)}`,
    }));
    const first = moments[0];
    if (!first) return html``;
    const columns = first.rows.map(({ strategy, path, view }) => ({ strategy, path, access: view.access }));
    return html`<section id="leaves"><h2>What the GPU sees</h2>
<p>The larger the leaves of the page tables, the fewer entries a TLB needs to reach a whole resource. The maps are read
from the models’ real page-table bits.</p>
<figure class="chooser"><div class="controls"><label>resource <select name="view">${variants.map((v) => html`<option>${v.keys.view}</option>`)}</select></label></div>
${stage(variants, (v) => v.keys.view === variants[0]?.keys.view, "")}
<figcaption><b>Figure 4.</b> Leaves over the addresses of the workload’s largest resource, from its first byte to its last. Where runs are
too many, a column has the colour of most of its bytes. ${this.#data.note}</figcaption></figure>
${sweepTable(this.#data, columns, `A GPU that reads through the resource of ${first.workload}, just created, with a cold TLB of ${this.#input.lab.costs[0]?.views[0]?.sequential.tlbEntries ?? 0} entries.`)}
${moments.slice(1).map(
  ({ workload, moment, rows }) =>
    html`<details><summary>Reading through the resource of ${workload}, ${moment === "created" ? "just created" : "before it is destroyed"}</summary>${sweepTable(
      this.#data,
      rows.map(({ strategy, path, view }) => ({ strategy, path, access: view.access })),
      `${workload}, ${moment}.`,
    )}</details>`,
)}
</section>`;
  }

  #semantics(): Html {
    if (this.#input.lab.semantics.length === 0) return html``;
    return html`<section id="semantics"><h2>What an unbound address does</h2>
${semanticsMatrix(this.#input)}
<details><summary>What was measured</summary>${semanticsDetails(this.#input, this.#data)}</details></section>`;
  }

  #accounting(): Html {
    if (this.#input.lab.accounting.length === 0) return html``;
    return html`<section id="accounting"><h2>Does it mess up accounting or refcounts?</h2>
${accountingVerdicts(this.#input)}
<h3>Who holds what</h3>
<p>Counted from the living objects of the models, with a resource of ${this.#data.show("lab.accounting.0.resourceBytes")}. A minus
means that there is less than before.</p>
${accountingTable(this.#input, this.#data, "sparse", "What the sparse mapping of the resource adds.")}
<details><summary>What binding one block adds, and what is left in the end</summary>
${accountingTable(this.#input, this.#data, "tile", "What binding one block into the resource adds.")}
${accountingTable(this.#input, this.#data, "left", "What is left when the resource has been destroyed.")}</details>
<details><summary>The objects and their holders</summary>${objectsTable(this.#input, this.#data, "created")}</details></section>`;
  }

  #experiments(): Html {
    return html`<section id="experiments"><h2>Three more experiments</h2>${experimentTables(this.#input, this.#data)}</section>`;
  }

  #traces(): Html {
    const { recorded } = this.#input;
    if (recorded.length === 0) return html``;
    const workloads = [...new Set(recorded.map((t) => t.workload))];
    return html`<section id="traces"><h2>Recorded traces</h2>
<p>Mesa’s own drivers, recorded and replayed. What no driver ever sent is derived from a recording.</p>
${workloads.map((w, i) => html`<details${i === 0 ? html` open` : null}><summary>${w}</summary>${traceTable(this.#input, this.#data, w)}</details>`)}</section>`;
  }

  #methods(): Html {
    return html`<section id="methods"><h2>How it is counted</h2>
<p>Every number on this page has a field of the same name in the JSON that the page carries and that
<code>vmbind compare --json</code> prints. Counts grow and are those of a stretch of the run; fields that end in <code>Live</code> are
levels at its end, those in <code>Peak</code> the highest since the device was opened. Nothing is estimated and nothing is timed, but where a section says so. Bytes are
shown in binary units with three digits; the JSON has all of them. Lists of leaf runs longer than ${RUNS_KEPT} are in the printed JSON only.</p>
<details><summary>All fields</summary>${methodsTables(FIELD_GROUPS)}</details></section>`;
  }

  #reproduce(): Html {
    const { commands, versions } = this.#input;
    return html`<section id="reproduce"><h2>To get these numbers again</h2>
<pre tabindex="0"><code>${commands.map(({ command, gives }) => `# ${gives}\n${command}\n`).join("\n")}</code></pre>
${boxed({
  caption: "What took part.",
  className: "words",
  content: html`<thead><tr><th scope="col">name</th><th scope="col">version</th></tr></thead><tbody>${Object.entries(versions).map(([name, version]) => html`<tr><th scope="row">${name}</th><td>${version}</td></tr>`)}</tbody>`,
})}</section>`;
  }

  #describe(workload: string): string {
    return this.#input.lab.costs.find((c) => c.workload === workload)?.description ?? workload;
  }

  #field(metric: string): { title: string } {
    return fieldAt(`lab.costs.0.total.${metric}`).field;
  }

  #bars(workload: string, metric: keyof CostFigures, phases: readonly string[]): Bar[] {
    return this.#input.lab.costs.flatMap((c, i) =>
      c.workload === workload
        ? phases.map((phase) => ({
            strategy: c.strategy,
            group: phase,
            figure: this.#data.at(`lab.costs.${i}.phases.${phase}.${metric}`),
          }))
        : [],
    );
  }

  #views(workload: string, moment: GpuView["moment"]): LeafRow[] {
    return this.#input.lab.costs.flatMap((c, i) =>
      c.workload === workload
        ? c.views.flatMap((view, v) =>
            view.moment === moment ? [{ strategy: c.strategy, view, path: `lab.costs.${i}.views.${v}` }] : [],
          )
        : [],
    );
  }

  #controls(names: readonly ("workload" | "metric")[]): Html {
    const options = {
      workload: this.#workloads.map((w) => html`<option value="${w}">${w}</option>`),
      metric: METRICS.map((m) => html`<option value="${m}">${this.#field(m).title}</option>`),
    };
    return html`<div class="controls">${names.map((name) => html`<label>${name === "metric" ? "cost" : name} <select name="${name}">${options[name]}</select></label>`)}</div>`;
  }
}

/** Variants of a figure: those shown at first, and the others, which wait behind a summary where there is no script. */
interface Variant {
  keys: Partial<Record<"workload" | "metric" | "axis" | "view", string>>;
  body: Html;
}

function stage(variants: readonly Variant[], isFirst: (v: Variant) => boolean, className: string): Html {
  const one = ({ keys, body }: Variant): Html =>
    html`<div class="variant"${Object.entries(keys).map(([k, v]) => html` data-${k}="${v}"`)}>${body}</div>
`;
  return html`<div class="stage ${className}">${variants.filter(isFirst).map(one)}</div>
<details class="rest"><summary>The other charts</summary><div class="${className}">${variants.filter((v) => !isFirst(v)).map(one)}</div></details>`;
}

/** `p- is panthor, a- is asahi.`: how {@link drawBars} shortens names. */
function shortDrivers(strategies: ReportInput["strategies"]): string {
  const shortened = strategies.filter(({ driver, shortDriver }) => driver !== shortDriver);
  return `${[...new Set(shortened.map((s) => `${s.shortDriver}- is ${s.driver}`))].join(", ")}.`;
}
