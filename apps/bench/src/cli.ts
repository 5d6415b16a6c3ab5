#!/usr/bin/env node
/**
 * The `vmbind` program: `main` between the real command line and the real streams, with somebody to watch over it.
 *
 * What is imported here is what `vmbind --version` waits for; built, it is a bundle (`scripts/bundle-quick.mjs`).
 *
 * @module
 */

const argv = process.argv.slice(2);
const { isQuick } = await import("./quick.ts");
if (isQuick(argv)) {
  const [{ main }, { processIo }] = await Promise.all([import("./main.ts"), import("./io.ts")]);
  process.exitCode = await main(argv, processIo());
} else {
  const { supervise } = await import("./process/supervise.ts");
  process.exitCode = await supervise(argv);
}
