/**
 * The frame of a page: one file with its style, its data and its script inside, and nothing loaded from anywhere.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Html, html, scriptJson } from "./html.ts";
import { STYLE } from "./style.ts";

/** A page. */
export interface Page {
  /** Title in the browser and at the top. */
  title: string;
  /** One paragraph below it. */
  lead: string;
  /** The sections. */
  body: Html;
  /** Whether the headings of its sections are listed above them. */
  contents?: boolean;
  /** What the numbers on the page are taken from. */
  data: unknown;
  /** Style of its own. */
  style?: string;
  /** Which of the bundled scripts it runs when it has JavaScript. */
  script: "report";
}

/**
 * @param page - its parts
 * @returns the file
 * @throws when the page's script was not bundled
 */
export async function renderPage({
  title,
  lead,
  body,
  contents = false,
  data,
  style = "",
  script,
}: Page): Promise<string> {
  const code = await bundledScript(script);
  return `${
    html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policyFor(code)}">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="generator" content="vmbind">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${new Html(STYLE + style)}</style>
</head>
<body>
<header>
<button type="button" class="theme" aria-pressed="false">light or dark</button>
<h1>${title}</h1>
<p class="lead">${lead}</p>
${contents ? contentsOf(body) : null}
</header>
<main>
${body}
</main>
<footer>Counted by vmbind’s models, not timed: the same input gives the same page.</footer>
<script type="application/json" id="data">${scriptJson(data)}</script>
<script>${code}</script>
</body>
</html>`.text
  }\n`;
}

/** A link to each section of a body. */
function contentsOf(body: Html): Html {
  const sections = [...body.text.matchAll(/<section id="([\w-]+)"><h2>(.*?)<\/h2>/g)];
  return html`<nav class="contents" aria-label="contents"><details><summary>Contents</summary><ol>${sections.map(
    ([, id = "", heading = ""]) => html`<li><a href="#${id}">${new Html(heading)}</a></li>`,
  )}</ol></details></nav>`;
}

/** Nothing is loaded from anywhere, nothing is sent, and of all scripts only this one runs. */
function policyFor(script: Html): string {
  const hash = createHash("sha256").update(script.text).digest("base64");
  return [
    "default-src 'none'",
    `script-src 'sha256-${hash}'`,
    // Plot and the legends put styles into attributes, which have no hashes.
    "style-src 'unsafe-inline'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
}

/** Bundled by the build from src/pages; the path is the same from src and from dist. */
async function bundledScript(name: Page["script"]): Promise<Html> {
  const text = await readFile(new URL(`../../dist/pages/${name}.js`, import.meta.url), "utf8");
  return new Html(text.replaceAll("</script", "<\\/script"));
}
