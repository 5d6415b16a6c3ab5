/**
 * Tables whose rows can be put in another order.
 *
 * @module
 */

/**
 * Give each column's heading a button: first ascending, then descending. Numbers are compared by their values, not as shown.
 *
 * @param table - with one row of headings
 */
export function makeSortable(table: HTMLTableElement): void {
  const headings = [...(table.tHead?.rows[0]?.cells ?? [])];
  const body = table.tBodies[0];
  if (body === undefined) return;
  for (const [column, heading] of headings.entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", `sort by ${heading.textContent}`);
    heading.append(" ", button);
    button.addEventListener("click", () => {
      const ascending = heading.getAttribute("aria-sort") !== "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      const rows = [...body.rows].sort((a, b) => compare(keyOf(a, column), keyOf(b, column)));
      body.append(...(ascending ? rows : rows.reverse()));
    });
  }
}

/** What a row is sorted by: its number, or its text where it has none. */
function keyOf(row: HTMLTableRowElement, column: number): number | string {
  const cell = row.cells[column];
  const value = cell?.querySelector<HTMLElement>("[data-value]")?.dataset["value"];
  return value === undefined ? (cell?.textContent ?? "") : Number(value);
}

function compare(a: number | string, b: number | string): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === typeof b) return String(a).localeCompare(String(b), "en");
  return typeof a === "number" ? 1 : -1;
}
