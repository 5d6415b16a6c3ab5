#!/usr/bin/env node
/**
 * The `vmbind` program: `main` between the real command line and the real streams, with somebody to watch over it.
 *
 * What is imported here is what `vmbind --version` waits for.
 *
 * @module
 */

const argv = process.argv.slice(2);
const { isQuick } = await import("./quick.ts");
if (isQuick(argv)) {
  const [{ main }, { processIo }] = await Promise.all([import("./main.ts"), import("./io.ts")]);
  process.exitCode = await main(argv, processIo());
} else {
  const [{ tuneEngine }, { supervise }] = await Promise.all([
    import("./engine.ts"),
    import("./process/supervise.ts"),
  ]);
  // The engine's settings are the process's: the threads have them, too.
  tuneEngine();
  process.exitCode = await supervise(argv);
}
