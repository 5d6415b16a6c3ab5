/** Writes the man page, dist/vmbind.1, from the compiled table of commands. */

import { readFileSync, writeFileSync } from "node:fs";
import { manualPage } from "../dist/manual/roff.js";

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
writeFileSync(new URL("../dist/vmbind.1", import.meta.url), await manualPage(version));
