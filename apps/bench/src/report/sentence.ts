/**
 * Sentences whose figures are marked where they stand.
 *
 * @module
 */

import type { LabFinding } from "@vmbind/lab";
import { formatUnit } from "./figure-data.ts";
import { type Html, type HtmlValue, html } from "./html.ts";

/**
 * @param finding - a sentence
 * @param path - of it in the page's JSON
 * @returns its text; each figure leads to its value
 */
export function sentence(finding: LabFinding, path: string): Html {
  const parts: HtmlValue[] = [];
  let rest = finding.text;
  for (const [i, value] of finding.values.entries()) {
    const forms = [formatUnit(value, "count"), String(value), formatUnit(value, "bytes")];
    const first = forms.map((form) => ({ form, at: numberAt(rest, form) })).find((f) => f.at >= 0);
    if (!first) continue;
    parts.push(rest.slice(0, first.at));
    parts.push(html`<span data-field="${path}.values.${i}" data-value="${value}">${first.form}</span>`);
    rest = rest.slice(first.at + first.form.length);
  }
  return html`<span data-text="${path}.text">${parts}${rest}</span>`;
}

/** Where a number stands in a sentence, not as part of a longer one; -1 for nowhere. */
function numberAt(text: string, form: string): number {
  for (let at = text.indexOf(form); at >= 0; at = text.indexOf(form, at + 1)) {
    const before = text.slice(0, at);
    const after = text.slice(at + form.length);
    if (!/[\d.,a-zA-Z-]$/.test(before) && !/^(\d|[.,]\d)/.test(after)) return at;
  }
  return -1;
}
