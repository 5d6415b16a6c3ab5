/**
 * Thousands of texts that differ in their numbers, in little room: the same words with other addresses are one template and a few
 * digits for each text.
 *
 * ```text
 * text       MAP 0x1000 + 4096 of BO 1      MAP 0x3000 + 4096 of BO 1      MAP 0x5000 + 4096 of BO 2
 * template   MAP 0x# + # of BO #
 * row        0,0:400,1:400,2:1              0,0:400,1:-400,2:-1            0,2:1
 * ```
 *
 * A row is the number of its template and, for each number whose step changed, which one and the change of the step: the
 * numbers of a template go on by the steps of the text before. What a compressor would make of it is as small, but is another one
 * with each version of its library, and the same input gives the same page.
 *
 * @module
 */

/** Texts, packed. */
export interface Packed {
  /** Texts without their numbers: what stands between them. Each begins a hexadecimal number where it ends with `0x`. */
  templates: string[][];
  /** The rows, joined by semicolons. */
  rows: string;
}

/** The numbers of a template's last text, and how far each was from the one before. */
interface Last {
  values: number[];
  steps: number[];
}

const NUMBER = /(?<=0x)[0-9a-f]+|(?<![0-9a-fx.])[0-9]+(?![0-9x])/g;
/** Radix of what stands in rows. */
const RADIX = 32;

/**
 * Pack texts.
 *
 * @param texts - any
 * @returns what {@link unpacked} makes the same texts of
 */
export function packed(texts: Iterable<string>): Packed {
  const templates: string[][] = [];
  const known = new Map<string, number>();
  const last: Last[] = [];
  const rows: string[] = [];
  for (const text of texts) {
    const { words, values } = taken(text);
    const key = JSON.stringify(words);
    let template = known.get(key);
    if (template === undefined) {
      template = templates.push(words) - 1;
      known.set(key, template);
      last.push({ values: values.map(() => 0), steps: values.map(() => 0) });
    }
    const before = last[template] as Last;
    let row = String(template);
    for (const [i, value] of values.entries()) {
      const step = value - (before.values[i] as number);
      const change = step - (before.steps[i] as number);
      if (change !== 0) row += `,${i.toString(RADIX)}:${change.toString(RADIX)}`;
      before.values[i] = value;
      before.steps[i] = step;
    }
    rows.push(row);
  }
  return { templates, rows: rows.join(";") };
}

/**
 * @param texts - packed
 * @returns the texts
 */
export function unpacked({ templates, rows }: Packed): string[] {
  const last = templates.map((words): Last => {
    const zeros = words.slice(1).map(() => 0);
    return { values: zeros, steps: [...zeros] };
  });
  if (rows === "") return [];
  return rows.split(";").map((row) => {
    const [number = "", ...changes] = row.split(",");
    const words = templates[Number(number)] as string[];
    const { values, steps } = last[Number(number)] as Last;
    for (const change of changes) {
      const [i = "", by = ""] = change.split(":");
      const at = Number.parseInt(i, RADIX);
      steps[at] = (steps[at] as number) + Number.parseInt(by, RADIX);
    }
    let text = words[0] as string;
    for (let i = 0; i < values.length; i++) {
      const value = (values[i] as number) + (steps[i] as number);
      values[i] = value;
      text += value.toString((words[i] as string).endsWith("0x") ? 16 : 10) + (words[i + 1] as string);
    }
    return text;
  });
}

/** The numbers of a text, and what stands between them. What cannot be written back as it was is no number but text. */
function taken(text: string): { words: string[]; values: number[] } {
  const words: string[] = [];
  const values: number[] = [];
  let from = 0;
  for (const { 0: digits, index } of text.matchAll(NUMBER)) {
    const radix = text.slice(from, index).endsWith("0x") ? 16 : 10;
    const value = Number.parseInt(digits, radix);
    // Steps and their changes are differences of such numbers: below 2^51 all of them are exact.
    if (value >= 2 ** 51 || value.toString(radix) !== digits) continue;
    words.push(text.slice(from, index));
    values.push(value);
    from = index + digits.length;
  }
  words.push(text.slice(from));
  return { words, values };
}
