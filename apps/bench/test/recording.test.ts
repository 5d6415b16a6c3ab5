import { readFile } from "node:fs/promises";
import { lens } from "@vmbind/panthor/trace";
import { gunzip, readTrace, replay } from "@vmbind/trace";
import { expect, test } from "vitest";

test("the model answers as recorded", async () => {
  const bytes = new Uint8Array(await readFile(new URL("recording.jsonl.gz", import.meta.url)));
  const { differences } = await replay(await readTrace("recording.jsonl.gz", () => gunzip(bytes)), lens);
  expect(differences).toEqual([]);
});
