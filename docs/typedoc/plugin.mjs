/**
 * What vmbind's API site does beyond typedoc: categories by task, guides named by their headings, one heading a page, and the
 * sources themselves, so that "Defined in" leads somewhere without a repository's address.
 */

import {
  Application,
  Comment,
  CommentTag,
  Converter,
  IndexEvent,
  PageEvent,
  ReflectionKind,
  RendererEvent,
} from "typedoc";
import { categoryOf, ENTRY_POINTS, PACKAGE_CATEGORIES, PACKAGES, START } from "./categories.mjs";
import { sourceUrl, writeSources } from "./sources.mjs";

/** A guide whose words are found beside symbols: more than the name of a thing is worth there. */
const GUIDE_BOOST = 8;

export function load(app) {
  // Behind typedoc itself, which finds the name of the package and the places of sources in the same event.
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => categorize(project, app.logger), -100);
  app.on(Application.EVENT_PROJECT_REVIVE, arrange, 100);
  app.renderer.on(IndexEvent.PREPARE_INDEX, indexReadmes);
  app.renderer.on(PageEvent.END, labelScrolling);
  app.renderer.on(RendererEvent.END, ({ project, outputDirectory }) =>
    writeSources(project, outputDirectory),
  );
}

/** Gives each export of one package its category. */
function categorize(project, logger) {
  const { packageName } = project;
  const known = packageName !== undefined && PACKAGES[packageName];
  if (!known) return;
  const found = new Set();
  for (const module of [project, ...project.getReflectionsByKind(ReflectionKind.Module)]) {
    for (const child of module.children ?? []) {
      if (child.kindOf(ReflectionKind.Module)) {
        putCategory(child, ENTRY_POINTS);
        continue;
      }
      const file = (child.sources?.[0]?.fileName ?? "").replace(/^.*?\/src\//, "");
      const category = categoryOf(packageName, child.name, file);
      if (category === START) found.add(child.name);
      putCategory(child, category);
    }
  }
  for (const name of known.start) {
    if (!found.has(name)) logger.error(`categories.mjs: ${packageName} exports no ${name} to start with`);
  }
}

function putCategory(reflection, name) {
  reflection.comment ??= new Comment();
  reflection.comment.blockTags.push(new CommentTag("@category", [{ kind: "text", text: name }]));
}

/** The merged site: packages by what they are, guides under their headings. */
function arrange(project) {
  for (const module of project.children ?? []) {
    const category = PACKAGE_CATEGORIES.find(([, names]) => names.test(module.name));
    if (category) putCategory(module, category[0]);
    module.readme = withoutTitle(module.readme);
    for (const entry of module.getChildrenByKind(ReflectionKind.Module))
      entry.name = entry.name.replace(/^.*\/src\//, "");
  }
  for (const guide of project.documents ?? []) {
    guide.name = titleOf(guide.content)?.split(":")[0] ?? guide.name;
    guide.frontmatter["category"] = "Guides";
    guide.relevanceBoost = GUIDE_BOOST;
  }
  for (const { sources = [] } of Object.values(project.reflections)) {
    for (const source of sources) source.url = sourceUrl(source);
  }
}

const TITLE = /^\s*# (.+)\n+/;

function titleOf(parts) {
  return TITLE.exec(parts[0]?.text ?? "")?.[1];
}

/** typedoc puts the module's name above its README, which begins with it too. */
function withoutTitle(parts) {
  const [first, ...rest] = parts ?? [];
  return first && [{ ...first, text: first.text.replace(TITLE, "") }, ...rest];
}

/** A package is found by the words of its README, not by its name alone. */
function indexReadmes(event) {
  event.searchFieldWeights["document"] ??= 1;
  for (const [i, reflection] of event.searchResults.entries()) {
    const readme = reflection.isDeclaration() && reflection.readme;
    if (readme)
      event.searchFields[i] = { ...event.searchFields[i], document: readme.map(({ text }) => text).join("") };
  }
}

/** What scrolls by itself can be reached by keyboard. */
function labelScrolling(page) {
  page.contents = page.contents
    ?.replaceAll("<pre>", '<pre tabindex="0">')
    .replaceAll(
      /<table[ >][\s\S]*?<\/table>/g,
      (table) => `<div class="vmbind-wide" tabindex="0">${table}</div>`,
    );
}
