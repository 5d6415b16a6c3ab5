/**
 * What somebody meant who misspelled a name.
 *
 * @module
 */

/** Names that are listed take this many characters at most. */
const LIST_MAX = 200;
/** One mistake in this many letters is still the same word. */
const LETTERS_A_MISTAKE = 3;

/**
 * @param word - what was typed
 * @param names - what there is
 * @returns the name that is fewest mistakes away (a letter more, less, another, or two in the wrong order), or the first that
 *   begins like it; null when none is near
 */
export function nearestName(word: string, names: Iterable<string>): string | null {
  let best: string | null = null;
  let fewest = Math.max(1, Math.floor(word.length / LETTERS_A_MISTAKE)) + 1;
  let begins: string | null = null;
  const wanted = word.toLowerCase();
  for (const name of names) {
    if (Math.abs(name.length - word.length) < fewest) {
      const mistakes = mistakesBetween(wanted, name.toLowerCase());
      if (mistakes < fewest) [best, fewest] = [name, mistakes];
    }
    if (begins === null && word.length > 1 && name.toLowerCase().startsWith(wanted)) begins = name;
  }
  return best ?? begins;
}

/**
 * @param what - kind of name, e.g. `strategy`
 * @param word - what was typed
 * @param names - what there is
 * @param also - ends the list of names, e.g. `, and JSON files`
 * @returns `no strategy "x"; did you mean y?`, or the names where none is near, as many as a line holds
 */
export function noSuchName(what: string, word: string, names: Iterable<string>, also = ""): string {
  const all = [...names];
  const near = nearestName(word, all);
  const hint = near === null ? `there are ${listOf(all)}${also}` : `did you mean ${near}?`;
  return `no ${what} ${JSON.stringify(word)}; ${hint}`;
}

/**
 * @param names - any number
 * @returns those that fit into a line, and how many do not
 */
export function listOf(names: readonly string[]): string {
  let length = 0;
  const fits = names.findIndex((name) => {
    length += name.length + 2;
    return length > LIST_MAX;
  });
  if (fits < 0) return names.join(", ");
  return `${names.slice(0, fits).join(", ")} and ${names.length - fits} more`;
}

/** Distance of Damerau and Levenshtein, of neighbours that are swapped once (optimal string alignment). */
function mistakesBetween(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const other = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(at(above, j) + 1, at(row, j - 1) + 1, at(above, j - 1) + other);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, at(before, j - 2) + 1);
      }
      row.push(least);
    }
    [before, above] = [above, row];
  }
  return at(above, b.length);
}

function at(row: readonly number[], i: number): number {
  return row[i] as number;
}
