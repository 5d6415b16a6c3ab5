/**
 * What every page does when it has JavaScript. Without it everything is there, in other places.
 *
 * @module
 */

/** Theme button, choice of variants, and what a number means under the pointer. */
export function startPage(): void {
  const root = document.documentElement;
  root.classList.add("js");

  const theme = document.querySelector<HTMLButtonElement>(".theme");
  theme?.addEventListener("click", () => {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = root.dataset["theme"] ?? (dark ? "dark" : "light");
    root.dataset["theme"] = now === "dark" ? "light" : "dark";
    theme.setAttribute("aria-pressed", String(root.dataset["theme"] === "dark"));
  });

  // A figure's variants wait in its <details>; the one that is chosen comes onto the stage.
  for (const chooser of document.querySelectorAll<HTMLElement>(".chooser")) {
    const stage = chooser.querySelector(".stage");
    if (!stage) continue;
    for (const rest of chooser.querySelectorAll(".rest .variant")) stage.append(rest);
    const selects = [...chooser.querySelectorAll("select")];
    const show = (): void => {
      for (const variant of stage.querySelectorAll<HTMLElement>(".variant")) {
        variant.hidden = !selects.every((s) => (variant.dataset[s.name] ?? s.value) === s.value);
      }
    };
    for (const select of selects) select.addEventListener("change", show);
    show();
  }

  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);
  // The page's own tip takes the place of the browser's.
  for (const title of document.querySelectorAll("svg title")) {
    const mark = title.parentElement;
    if (mark) mark.dataset["tip"] = title.textContent ?? "";
    title.remove();
  }
  const describe = (mark: HTMLElement): string => {
    const path = mark.dataset["field"];
    if (path === undefined) return mark.dataset["tip"] ?? "";
    const exact = Number(mark.dataset["value"]).toLocaleString("en");
    const head = mark.dataset["tip"] ?? "";
    return `${head}${head ? " " : ""}[${path} = ${exact}]`;
  };
  document.addEventListener("pointerover", (event) => {
    const mark = (event.target as Element).closest?.<HTMLElement>("[data-tip],[data-field]");
    tip.hidden = !mark;
    if (mark) tip.textContent = describe(mark);
  });
  document.addEventListener("pointermove", (event) => {
    if (tip.hidden) return;
    const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    const below = event.clientY + 18;
    const top = below + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 10 : below;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${top}px`;
  });

  // A link to a sentence that lies in closed details opens them.
  const open = (): void => {
    if (location.hash.length < 2) return;
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let e = target?.closest("details"); e; e = e.parentElement?.closest("details")) e.open = true;
    target?.scrollIntoView();
  };
  addEventListener("hashchange", open);
  open();
}
