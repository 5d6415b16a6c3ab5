/**
 * The tables of the report. Every number goes through {@link PageData.show}, and every row's heading leads to the sentence
 * on how it is counted.
 *
 * @module
 */

import { type CostFigures, type HeldObject, type SemanticsAnswer, SPARSE_STRATEGIES } from "@vmbind/lab";
import type { FieldGroup } from "./field.ts";
import { FIELD_GROUPS } from "./field-groups.ts";
import { fieldAt } from "./fields.ts";
import type { PageData } from "./figure-data.ts";
import { type Html, type HtmlValue, html } from "./html.ts";
import type { ReportInput, ShownStrategy } from "./input.ts";
import { strategyColour } from "./palette.ts";
import { boxed } from "./scrolling.ts";

/** A table: rows of numbers, one column per strategy. */
interface NumberTable {
  /** What it is about. */
  caption: HtmlValue;
  /** Columns: strategy, and the path of the object whose fields the cells are. */
  columns: readonly { strategy: string; path: string }[];
  /** Names of the fields. */
  fields: readonly string[];
}

/** @returns strategies that occur, in the order of the report */
function strategiesOf({ strategies }: ReportInput, rows: readonly { strategy: string }[]): string[] {
  return strategies.map(({ name }) => name).filter((name) => rows.some((r) => r.strategy === name));
}

/**
 * @param data - the page's JSON
 * @param table - what
 * @returns a table that scrolls sideways where there is no room
 */
function numberTable(data: PageData, { caption, columns, fields }: NumberTable): Html {
  return boxed({
    caption: html`${caption} ${data.note}`,
    className: "numbers",
    content: html`<thead><tr><td></td>${columns.map((c) => html`<th scope="col">${breakable(c.strategy)}</th>`)}</tr></thead>
<tbody>
${fields.map(
  (name) =>
    html`<tr>${rowHeading(`${columns[0]?.path}.${name}`)}${columns.map((c) => html`<td>${data.show(`${c.path}.${name}`)}</td>`)}</tr>
`,
)}</tbody>`,
  });
}

/** A row's heading: the title of a field, leading to its sentence. */
function rowHeading(path: string): Html {
  const { group, name, field } = fieldAt(path);
  return html`<th scope="row"><a href="#how-${group.id}-${name}">${field.title}</a></th>`;
}

/** Names break at their hyphens. */
function breakable(name: string): Html {
  return html`${name.split("-").map((part, i) => (i === 0 ? part : html`-<wbr>${part}`))}`;
}

/** All figures of a workload under all strategies. */
export function costTable({ lab }: ReportInput, data: PageData, workload: string): Html {
  const columns = lab.costs.flatMap((c, i) =>
    c.workload === workload ? [{ strategy: c.strategy, path: `lab.costs.${i}.total` }] : [],
  );
  const fields = Object.keys(FIELD_GROUPS[0]?.fields ?? {}) as (keyof CostFigures)[];
  return numberTable(data, { caption: `All figures of ${workload}, the whole workload.`, columns, fields });
}

/** Which words and sizes each run has. */
export function factsTable({ lab }: ReportInput, data: PageData, workload: string): Html {
  const columns = lab.costs.flatMap((c, i) =>
    c.workload === workload ? [{ strategy: c.strategy, path: `lab.costs.${i}` }] : [],
  );
  return numberTable(data, {
    caption: `What the strategies run on in ${workload}: ${lab.costs
      .filter((c) => c.workload === workload)
      .map((c) => `${c.strategy} on ${c.device}`)
      .join(", ")}.`,
    columns,
    fields: ["blockBytes", "tablePageBytes", "gpuvaBytes", "vmBoBytes"],
  });
}

/** What a GPU pays to read through the resource. */
export function sweepTable(
  data: PageData,
  rows: readonly { strategy: string; path: string; access: string }[],
  caption: string,
): Html {
  const columns = rows.map(({ strategy, path, access }) => ({
    strategy: access === "read-write" ? strategy : `${strategy} ${access}`,
    path,
  }));
  const fields = ["accesses", "tlbMisses", "walkSteps", "faults"];
  return html`${numberTable(data, {
    caption: html`${caption} Sequential loads.`,
    columns: columns.map((c) => ({ ...c, path: `${c.path}.sequential` })),
    fields,
  })}${numberTable(data, {
    caption: html`${caption} Random loads.`,
    columns: columns.map((c) => ({ ...c, path: `${c.path}.random` })),
    fields,
  })}`;
}

/**
 * @param kernel - that everything was run on
 * @returns the sentence that captions end with
 */
export function kernelNote(kernel: ReportInput["kernel"]): string {
  return `Kernel: ${kernel}.`;
}

const VERDICTS = {
  true: { mark: "✓", word: "as demanded" },
  false: { mark: "✗", word: "not as demanded" },
  null: { mark: "·", word: "free to choose" },
} as const;

/** Questions down, strategies across; what all answer alike is folded. */
export function semanticsMatrix(input: ReportInput): Html {
  const { kernel, lab } = input;
  const ids = [...new Set(lab.semantics.map((a) => a.id))];
  const answers = (id: string): SemanticsAnswer[] => lab.semantics.filter((a) => a.id === id);
  const alike = (id: string): boolean =>
    new Set(answers(id).map(({ answer, ok }) => `${ok} ${answer}`)).size < 2;
  const telling = ids.filter((id) => !alike(id));
  const folded = ids.filter(alike);
  const several = strategiesOf(input, lab.semantics).length > 1;
  return html`${matrix(input, several ? telling : ids, `Questions, and what fresh devices did when asked. ✓ as Vulkan’s sparse residency or the separation of processes demands, ✗ not so, · neither has a say. ${kernelNote(kernel)}`)}${
    several && folded.length > 0
      ? html`<details><summary>${folded.length} questions that all answer alike</summary>${matrix(input, folded, `Questions with one answer. ${kernelNote(kernel)}`)}</details>`
      : null
  }`;
}

function matrix(input: ReportInput, ids: readonly string[], caption: string): Html {
  const { semantics } = input.lab;
  const strategies = strategiesOf(input, semantics);
  const cell = (id: string, strategy: string): Html => {
    const at = semantics.findIndex((a) => a.id === id && a.strategy === strategy);
    const answer = semantics[at];
    if (!answer) return html`<td>–</td>`;
    const { mark, word } = VERDICTS[`${answer.ok}`];
    return html`<td class="verdict-${String(answer.ok)}"><span class="mark" role="img" aria-label="${word}" title="${word}">${mark}</span> <span data-text="lab.semantics.${at}.answer">${answer.answer}</span></td>`;
  };
  return boxed({
    caption,
    className: "matrix",
    wide: true,
    content: html`<thead><tr><th scope="col">question</th>${strategies.map((s) => html`<th scope="col">${breakable(s)}</th>`)}</tr></thead>
<tbody>${ids.map(
      (id) =>
        html`<tr><th scope="row" id="q-${id}">${semantics.find((a) => a.id === id)?.question ?? id}</th>${strategies.map((s) => cell(id, s))}</tr>
`,
    )}</tbody>`,
  });
}

/** The measurements behind the matrix. */
export function semanticsDetails({ lab }: ReportInput, data: PageData): Html {
  const rows = lab.semantics.map(({ strategy, question, answer, detail }, i) => {
    const parts = Object.entries(detail).map(([name, value]): Html => {
      const path = `lab.semantics.${i}.detail.${name}`;
      if (typeof value === "number") return html`<li>${fieldAt(path).field.title} ${data.show(path)}</li>`;
      if (value === null) return html`<li>${fieldAt(path).field.title}: refused</li>`;
      return html`<li>${typeof value === "boolean" ? `${name}: ${value ? "yes" : "no"}` : value}</li>`;
    });
    return html`<tr><th scope="row">${strategy}</th><td>${question}</td><td>${answer}</td><td><ul class="inline">${parts}</ul></td></tr>
`;
  });
  return boxed({
    caption: "What was measured for each answer.",
    className: "words sortable",
    content: html`<thead><tr><th scope="col">strategy</th><th scope="col">question</th><th scope="col">answer</th><th scope="col">measured</th></tr></thead>
<tbody>${rows}</tbody>`,
  });
}

const ACCOUNTED = [
  "gpuvas",
  "gpuvaBytes",
  "vmBos",
  "vmBoBytes",
  "vmRefs",
  "vmBoRefs",
  "gemRefs",
  "handles",
  "visibleBytes",
  "visibleResidentBytes",
  "backingBytes",
  "hiddenBytes",
  "tableBytes",
  "sparseVaBytes",
  "extobjs",
  "submitLocks",
] as const;

/** Who holds what: what the sparse mapping of a resource adds, what a tile adds, what is left. */
export function accountingTable(
  { lab }: ReportInput,
  data: PageData,
  part: "sparse" | "tile" | "left",
  caption: string,
): Html {
  return numberTable(data, {
    caption,
    columns: lab.accounting.map((a, i) => ({ strategy: a.strategy, path: `lab.accounting.${i}.${part}` })),
    fields: ACCOUNTED,
  });
}

/** The objects at the moment at which the resource was created. */
export function objectsTable({ lab }: ReportInput, data: PageData, moment: string): Html {
  const fields = [
    "bytes",
    "residentBytes",
    "refs",
    "handleRefs",
    "vmBoRefs",
    "otherRefs",
    "gpuvas",
    "refsOfVmBo",
  ] as const satisfies (keyof HeldObject)[];
  const rows = lab.accounting.flatMap(({ strategy, moments }, a) => {
    const m = moments.findIndex((x) => x.moment === moment);
    return (moments[m]?.objects ?? []).map((object, o) => {
      const path = `lab.accounting.${a}.moments.${m}.objects.${o}`;
      return html`<tr><th scope="row">${strategy}</th><td>${object.role}${object.handle === 0 ? ", no handle" : ""}${object.external ? ", external" : ""}</td>${fields.map((f) => html`<td>${data.show(`${path}.${f}`)}</td>`)}</tr>
`;
    });
  });
  const group = FIELD_GROUPS.find((g) => g.id === "object");
  return boxed({
    caption: "Objects when the resource has been created, and who holds references to them.",
    className: "numbers sortable",
    content: html`<thead><tr><th scope="col">strategy</th><th scope="col">object</th>${fields.map((f) => html`<th scope="col"><a href="#how-object-${f}">${group?.fields[f]?.title ?? f}</a></th>`)}</tr></thead>
<tbody>${rows}</tbody>`,
  });
}

/** Comparisons that need more than a strategy and a workload. */
export function experimentTables({ lab }: ReportInput, data: PageData): Html {
  const { dummies, arrays, postedRepeat } = lab.experiments;
  const group = "lab.experiments";
  return html`${
    dummies.length > 0
      ? numberTable(data, {
          caption: "One MAP_SPARSE over 100e6 bytes, by how the memory of the kernel’s 2 MiB dummy lies.",
          columns: dummies.map((d, i) => ({ strategy: `${d.dummy} dummy`, path: `${group}.dummies.${i}` })),
          fields: ["pteWrites", "tablesAllocated", "ioMapCalls"],
        })
      : null
  }${
    arrays.length > 0
      ? numberTable(data, {
          caption:
            "All tiles of 64 KiB of 100e6 bytes bound in random order, by how many of them one call has.",
          columns: arrays.map(({ strategy }, i) => ({ strategy, path: `${group}.arrays.${i}` })),
          fields: ["bindsPerCall", "bindIoctls", "bindOps", "pteWrites", "pteClears", "tlbInvalidations"],
        })
      : null
  }${
    postedRepeat
      ? numberTable(data, {
          caption: "A cut off the window’s boundary under the REPEAT patch as it was posted (v4).",
          columns: [{ strategy: `${postedName()} as posted`, path: `${group}.postedRepeat` }],
          fields: Object.keys(postedRepeat),
        })
      : null
  }`;
}

function postedName(): string {
  return SPARSE_STRATEGIES.find(({ experiments }) => experiments?.postedRepeat)?.name ?? "";
}

/** A recorded workload under all strategies. */
export function traceTable({ recorded }: ReportInput, data: PageData, workload: string): Html {
  const here = recorded.flatMap((t, i) => (t.workload === workload ? [{ ...t, path: `recorded.${i}` }] : []));
  const names = [...new Set(here.flatMap((t) => Object.keys(t.metrics)))];
  const notes = here.flatMap((t) => [
    ...(t.recorded ? [] : [`${t.strategy} is derived`]),
    ...(t.supported ? [] : [`${t.strategy} cannot do it`]),
    ...(t.differences > 0 ? [`${t.strategy}: the model answered ${t.differences} ioctls differently`] : []),
  ]);
  return numberTable(data, {
    caption: `${workload}, recorded from Mesa’s drivers, replayed.${notes.length > 0 ? ` ${notes.join("; ")}.` : ""}`,
    columns: here.map((t) => ({ strategy: t.strategy, path: `${t.path}.metrics` })),
    fields: names,
  });
}

/** How every number is counted. */
export function methodsTables(groups: readonly FieldGroup[]): Html {
  return html`${groups.map(({ id, title, paths, fields }) =>
    boxed({
      caption: html`${title}. In the JSON: ${paths.map((p, i) => html`${i > 0 ? ", " : ""}<code>${p}</code>`)}.`,
      className: "words",
      content: html`<thead><tr><th scope="col">field</th><th scope="col">title</th><th scope="col">how it is counted</th></tr></thead>
<tbody>${Object.entries(fields).map(
        ([
          name,
          f,
        ]) => html`<tr id="how-${id}-${name}"><th scope="row"><code>${name}</code></th><td>${f.title}</td><td>${f.how}</td></tr>
`,
      )}</tbody>`,
    }),
  )}`;
}

/** The strategies in words. */
export function strategiesTable(rows: readonly ShownStrategy[]): Html {
  return boxed({
    caption: "The answers. Colours, markers and order are the same throughout.",
    className: "words",
    content: html`<thead><tr><th scope="col">strategy</th><th scope="col">driver</th><th scope="col">what user space says</th></tr></thead>
<tbody>${rows.map(
      (
        s,
      ) => html`<tr><th scope="row" class="name"><span class="swatch" style="background:${strategyColour(s.name)}"></span> ${s.name}</th><td>${s.driver}</td><td>${s.says}${s.note === null ? "" : html`. ${s.note}`}</td></tr>
`,
    )}</tbody>`,
  });
}
