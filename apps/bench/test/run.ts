import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempFolder } from "../../../test/temp.ts";
import type { Io } from "../src/io.ts";
import { main } from "../src/main.ts";
import { saveFile } from "../src/output/whole-file.ts";

/** What a run of the command left behind. */
export interface Outcome {
  status: number;
  out: string;
  err: string;
}

/** Run the command in process; output is collected. */
export function vmbind(...argv: string[]): Promise<Outcome> {
  return vmbindIn({}, ...argv);
}

/** The same in another world. */
export async function vmbindIn(world: Partial<Io>, ...argv: string[]): Promise<Outcome> {
  let out = "";
  let err = "";
  const status = await main(argv, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    flush: () => {},
    save: saveFile,
    outIsTerminal: false,
    errIsTerminal: false,
    ...world,
  });
  return { status, out, err };
}

const directory = tempFolder();

/** Write a file and return its path. */
export function tempFile(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}
