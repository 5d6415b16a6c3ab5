/** Texts to begin with. Each is a file of its own, under `examples`, where a test answers it. */

const PROGRAMS: Record<string, string> = import.meta.glob("../../../examples/*.ts", {
  query: "?raw",
  import: "default",
  eager: true,
});
const MODULES: Record<string, string> = import.meta.glob("../../../../bench/examples/*.ts", {
  query: "?raw",
  import: "default",
  eager: true,
});

/** A text under its name. */
export interface Example {
  /** From its file: `bind a page`. */
  readonly name: string;
  readonly text: string;
}

const ORDER: readonly string[] = [
  "create-sparse",
  "bind-a-page",
  "unmap-across",
  "overlapping-maps",
  "refused",
  "repeat-windows",
];

/** Programs, the simplest first. */
export const EXAMPLES: readonly Example[] = named(PROGRAMS).sort(
  (a, b) => ORDER.indexOf(a.name.replaceAll(" ", "-")) - ORDER.indexOf(b.name.replaceAll(" ", "-")),
);

/** Strategy modules: those of the guide. */
export const STRATEGY_EXAMPLES: readonly Example[] = named(MODULES).filter(({ text }) =>
  text.includes("export default"),
);

function named(files: Record<string, string>): Example[] {
  return Object.entries(files).map(([path, text]) => {
    const file = path.split("/").at(-1) ?? path;
    return { name: file.replace(/\.ts$/, "").replaceAll("-", " "), text };
  });
}
