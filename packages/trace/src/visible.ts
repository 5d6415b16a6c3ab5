/**
 * Text that came from a file, made fit for a terminal, a log and a Markdown page.
 *
 * A name in a trace may hold anything: line breaks that forge a second message, escape sequences that drive a terminal,
 * marks that turn the reading direction around. What is not to be seen is shown as an escape instead, as JSON writes it.
 *
 * @module
 */

/**
 * Controls (C0, DEL, C1), what formats (marks of direction, characters without width, the byte order mark, tags), separators of
 * lines and paragraphs, and halves of surrogate pairs.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

const SHORT: ReadonlyMap<string, string> = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);

/**
 * @param text - any text
 * @returns the text with what cannot be seen, or would move what is seen, as `\n`, `\r`, `\t` or `\u001b`
 */
export function visible(text: string): string {
  return isPlain(text) ? text : text.replace(UNSEEN, escaped);
}

/** Nearly all texts are short and of ASCII that shows: to see that takes less than to begin with the expression. */
function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 || unit > 0x7e) return false;
  }
  return true;
}

/**
 * @param text - lines
 * @returns the same with each line made {@link visible}; line feeds stay
 */
export function visibleLines(text: string): string {
  return text.replace(UNSEEN, (character) => (character === "\n" ? character : escaped(character)));
}

/**
 * One line of a limited length: the middle of what is longer is left out, since a message says at its end what is wrong
 * and at its beginning where.
 *
 * @param text - any text
 * @param most - UTF-16 units, 16 at least
 * @returns the text, {@link visible} and at most that long
 */
export function oneLine(text: string, most: number): string {
  // What is escaped only grows: there is no need to look at more than this.
  const looked = text.length > 2 * most ? `${text.slice(0, most)}${text.slice(-most)}` : text;
  const line = visible(looked);
  if (line.length <= most && looked === text) return line;
  const front = Math.ceil((most - GAP.length) * 0.6);
  const back = most - GAP.length - front;
  return visible(`${line.slice(0, front)}${GAP}${line.slice(line.length - back)}`).slice(0, most);
}

const GAP = " ... ";

function escaped(character: string): string {
  const short = SHORT.get(character);
  if (short !== undefined) return short;
  return Array.from({ length: character.length }, (_, i) => character.charCodeAt(i))
    .map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`)
    .join("");
}
