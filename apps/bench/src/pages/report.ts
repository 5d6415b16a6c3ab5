/**
 * The script of the report.
 *
 * @module
 */

import { startPage } from "./every-page.ts";
import { makeSortable } from "./sortable.ts";

startPage();
for (const table of document.querySelectorAll<HTMLTableElement>("table.sortable")) makeSortable(table);
