/**
 * Text in lines of a given width.
 *
 * @module
 */

/**
 * Break a text at spaces; a word that is longer than a line is broken, too.
 *
 * @param text - without line ends
 * @param width - most characters of a line, at least 1
 * @returns the lines, at least one
 */
export function wrapWords(text: string, width: number): string[] {
  if (text.length <= width) return [text];
  const lines: string[] = [];
  let line = "";
  // What indents a text belongs to its first word.
  const indent = /^ */.exec(text)?.[0] ?? "";
  const [first = "", ...others] = text.slice(indent.length).split(" ");
  for (const word of [indent + first, ...others]) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (longer.length <= width) {
      line = longer;
      continue;
    }
    if (line !== "") lines.push(line);
    let rest = word;
    for (; rest.length > width; rest = rest.slice(width)) lines.push(rest.slice(0, width));
    line = rest;
  }
  return [...lines, line];
}

/**
 * A paragraph.
 *
 * @param text - without line ends
 * @param width - most characters of a line
 * @param indent - stands before each line but the first
 * @returns lines, each with its line end
 */
export function paragraph(text: string, width: number, indent = ""): string {
  const [first = "", ...rest] = wrapWords(text, width);
  if (rest.length === 0) return `${first}\n`;
  const others = wrapWords(text.slice(first.length).trimStart(), width - indent.length);
  return `${[first, ...others.map((line) => indent + line)].join("\n")}\n`;
}

/**
 * Lines that keep their indentation: what does not fit goes on deeper.
 *
 * @param text - lines, each with its line end
 * @param width - most characters of a line
 */
export function foldLines(text: string, width: number): string {
  return text.replace(/[^\n]+/g, (line) => {
    if (line.length <= width) return line;
    const indent = (/^ */.exec(line)?.[0].length ?? 0) + 8;
    if (indent >= width / 2) return line;
    const lead = line.slice(0, indent - 8);
    return (
      lead +
      paragraph(line.slice(lead.length), width - lead.length, " ".repeat(8))
        .trimEnd()
        .replaceAll("\n", `\n${lead}`)
    );
  });
}
