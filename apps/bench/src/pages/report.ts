/**
 * The script of the report.
 *
 * @module
 */

import { startPage } from "./every-page.ts";

startPage();
