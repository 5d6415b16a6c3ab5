/**
 * HTML as values: a template tag that escapes everything that is not already HTML, so that no text from a file can become
 * markup.
 *
 * @module
 */

/** A piece of HTML. */
export class Html {
  /** The markup. */
  readonly text: string;

  /** @param text - well-formed markup */
  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a template. */
export type HtmlValue = string | number | Html | readonly HtmlValue[] | null;

/**
 * Tag of templates: strings and numbers are escaped, {@link Html} stays, lists are joined, null is nothing.
 *
 * @param strings - the markup
 * @param values - what stands between
 */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return new Html(strings.reduce((out, part, i) => out + toText(values[i - 1] ?? null) + part));
}

/**
 * @param text - any text
 * @returns the text for an element's content or a quoted attribute
 */
function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

/**
 * @param value - plain data
 * @returns JSON that can stand in a script element
 */
export function scriptJson(value: unknown): Html {
  return new Html(JSON.stringify(value).replaceAll("<", "\\u003c"));
}

function toText(value: HtmlValue): string {
  if (value === null) return "";
  if (value instanceof Html) return value.text;
  if (typeof value === "object") return value.map(toText).join("");
  return escapeHtml(String(value));
}
