/**
 * Tables in boxes, in which they scroll sideways where the page is too narrow.
 *
 * @module
 */

import { Html, type HtmlValue, html } from "./html.ts";

/** A table. */
export interface BoxedTable {
  /** What it is about; no two of a page are alike, since the box has its name from it. */
  caption: HtmlValue;
  /** Class of the table: `numbers`, `words`, `matrix`, with `sortable` where its rows have no order of their own. */
  className: string;
  /** Its `thead` and `tbody`. */
  content: Html;
  /** Whether it may be wider than the text. */
  wide?: boolean;
}

/** @returns the table in its box, which can be scrolled with the keyboard too */
export function boxed({ caption, className, content, wide = false }: BoxedTable): Html {
  const name = new Html(html`${caption}`.text.replace(/<[^>]*>/g, ""));
  return html`<div class="scroll${wide ? " wide" : ""}" tabindex="0" role="region" aria-label="${name}"><table class="${className}"><caption>${caption}</caption>
${content}</table></div>`;
}
