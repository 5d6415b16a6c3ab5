/**
 * The frame of a page: one file with its style, its data and its script inside, and nothing loaded from anywhere.
 *
 * @module
 */

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
  /** What the numbers on the page are taken from. */
  data: unknown;
  /** Run in order when the page has JavaScript; they must use nothing from outside themselves. */
  scripts: readonly (() => void)[];
}

/**
 * @param page - its parts
 * @returns the file
 */
export function renderPage({ title, lead, body, data, scripts }: Page): string {
  return `${
    html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="generator" content="vmbind">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<header>
<button type="button" class="theme" aria-pressed="false">light or dark</button>
<h1>${title}</h1>
<p class="lead">${lead}</p>
</header>
<main>
${body}
</main>
<footer>Counted by vmbind’s models, not timed: the same input gives the same page.</footer>
<script type="application/json" id="data">${scriptJson(data)}</script>
<script>${scripts.map((script) => new Html(scriptText(script)))}</script>
</body>
</html>`.text
  }\n`;
}

function scriptText(script: () => void): string {
  return `(${script.toString()})();\n`.replaceAll("</script", "<\\/script");
}
