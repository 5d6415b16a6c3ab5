/**
 * Pages of the sources that the API was made from, with a line number at every line: where "Defined in" leads.
 *
 * The repository has no public address that a link could name, and the site has to work from a folder; so it carries the
 * files.
 */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Where a page of the API, all of which lie one folder deep, finds a line of a source. */
export function sourceUrl({ fileName, line }) {
  return `../source/${fileName}.html#L${line}`;
}

/** Writes a page for each file that a reflection of the project comes from. */
export function writeSources(project, outputDirectory) {
  const files = new Set();
  for (const { sources = [] } of Object.values(project.reflections)) {
    for (const { fileName } of sources) files.add(fileName);
  }
  for (const file of files) {
    const page = join(outputDirectory, "source", `${file}.html`);
    mkdirSync(dirname(page), { recursive: true });
    writeFileSync(page, sourcePage(file, readFileSync(join(ROOT, file), "utf8")));
  }
}

function sourcePage(file, text) {
  const up = "../".repeat(file.split("/").length);
  const lines = highlighted(text.replace(/\n$/, "")).split("\n");
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${file} - vmbind</title>
<link rel="stylesheet" href="${up}assets/custom.css">
<body class="vmbind-source">
<header><a href="${up}index.html">vmbind</a> <h1>${file}</h1></header>
<main><pre tabindex="0"><code>${lines.map((line, i) => `<span id="L${i + 1}"><a href="#L${i + 1}">${i + 1}</a>${line}</span>`).join("\n")}</code></pre></main>
`;
}

/** Comments, strings, and the words that shape a file; enough to find one's way, and quick for hundreds of files. */
const TOKEN =
  /(\/\*[\s\S]*?\*\/|\/\/[^\n]*)|("(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`)|\b(abstract|as|async|await|break|case|catch|class|const|continue|default|do|else|export|extends|finally|for|from|function|if|implements|import|in|instanceof|interface|let|new|of|private|protected|readonly|return|satisfies|static|switch|this|throw|try|type|typeof|while|yield)\b/g;

function highlighted(text) {
  let html = "";
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [token, comment, string] = match;
    html += escaped(text.slice(end, match.index)) + marked(token, comment ? "c" : string ? "s" : "k");
    end = match.index + token.length;
  }
  return html + escaped(text.slice(end));
}

/** A token line by line: an element must not span the lines, each of which is an element itself. */
function marked(token, kind) {
  return token
    .split("\n")
    .map((line) => `<i class="${kind}">${escaped(line)}</i>`)
    .join("\n");
}

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
