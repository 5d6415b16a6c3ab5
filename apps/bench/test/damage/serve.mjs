/** A process that runs command lines, one after the other, and tells what each came to: a crash or a hang takes only it away. */
import { writeSync } from "node:fs";
import { main } from "../../dist/main.js";
import { saveFile } from "../../dist/output/whole-file.js";

process.on("message", async (argv) => {
  let out = "";
  let outLength = 0;
  let err = "";
  const before = process.cpuUsage();
  const status = await main(argv, {
    out: (text) => {
      outLength += text.length;
      // Enough to see what kind of characters there are.
      if (out.length < 2 ** 20) out += text;
    },
    err: (text) => {
      err += text;
    },
    flush: () => {},
    save: saveFile,
    outIsTerminal: false,
    errIsTerminal: false,
  }).catch((error) => {
    writeSync(2, `${error?.stack}\n`);
    return 70;
  });
  const { user, system } = process.cpuUsage(before);
  process.send({
    status,
    out,
    outLength,
    err,
    cpuMs: (user + system) / 1000,
    rssMib: process.resourceUsage().maxRSS / 1024,
  });
});
